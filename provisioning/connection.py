"""The connection that results from what was set in several places, one over the other."""

from __future__ import annotations

from provisioning.settings import Csms


def overlay(*layers: Csms) -> Csms:
    """What is set: for each key by the last layer that sets it. "" takes away what an earlier one set."""
    values = (
        next((value for value in reversed(column) if value is not None), None) for column in zip(*layers, strict=True)
    )
    return Csms(*(None if value == "" else value for value in values))


def in_force(*layers: Csms) -> Csms:
    """What counts: what is set, and a security profile even where none is: it follows the URL then."""
    csms = overlay(*layers)
    if csms.security_profile is not None:
        return csms
    return csms._replace(security_profile=2 if uses_tls(csms.url) else 1)


def uses_tls(url: str | None) -> bool:
    """The URL is a wss:// one."""
    return url is not None and url[:4].lower() == "wss:"
