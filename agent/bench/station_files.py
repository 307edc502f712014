"""The files a bench station starts from: a configuration as TOML, and what a technician would have provisioned."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from provisioning.settings import Settings
from provisioning.state_lock import exclusive

MOCK_SOCKET = "mock.sock"

# Short, so that no test waits for what a charger in the field takes its time with.
_RETRIES = {"RetryBackOffWaitMinimum": 1, "RetryBackOffRandomRange": 0, "RetryBackOffRepeatTimes": 1}


def configuration(
    url: str,
    *,
    identity: str = "CP001",
    evses: int = 1,
    security_profile: int = 0,
    keys: Mapping[str, object] | None = None,
    variables: Mapping[str, Mapping[str, object]] | None = None,
    evse: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """A configuration file's content for a mock station.

    keys: OCPP 1.6 configuration keys. variables: by component. evse: what differs in every [[evse]], such as
    `{"connectors": ["sType2"], "driver": "my_driver", "options": {...}}`.
    """
    components = dict(variables or {})
    components["OCPPCommCtrlr"] = {**_RETRIES, **components.get("OCPPCommCtrlr", {})}
    defaults = {"connectors": ["cType2"], "max_current": 32.0, "phases": 3, "driver": "mock"}
    return {
        "station": {"identity": identity, "vendor": "Bench", "model": "Mock22", "serial_number": f"B-{identity}"[:25]},
        "csms": {"url": url, "versions": ["1.6"], "security_profile": security_profile},
        "configuration": dict(keys or {}),
        "variables": components,
        "evse": [{"id": number, **defaults, **(evse or {})} for number in range(1, evses + 1)],
        "hal": {"mock": {"control": MOCK_SOCKET}},
    }


def write_configuration(path: Path, content: Mapping[str, Any]) -> None:
    """Write it as TOML."""
    path.write_text("".join(_toml(content, ())), "utf-8")


def provision(state_dir: Path, *, password: str | bytes | None = None, root_ca: str | None = None) -> None:
    """Set the basic auth password (as it is sent) and the CSMS's root CA (PEM text), of a station that is not running.

    None leaves it as it is. Raises ProvisioningError.
    """
    with exclusive(state_dir):
        settings = Settings.load(state_dir)
        wanted: dict[str, Any] = {"basic_auth_password": password, "root_ca": root_ca}
        if isinstance(password, str):
            wanted["basic_auth_password"] = password.encode()
        changes = {name: value for name, value in wanted.items() if value is not None}
        settings.update(csms=settings.content.csms._replace(**changes))
        settings.save()


def _toml(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterable[str]:
    """A table's own values, then the tables in it."""
    inner = {name: value for name, value in table.items() if _is_table(value)}
    for name, value in table.items():
        if name not in inner:
            yield f"{json.dumps(name)} = {_toml_value(value)}\n"
    for name, value in inner.items():
        header = ".".join(json.dumps(part) for part in (*path, name))
        for one in [value] if isinstance(value, Mapping) else value:
            yield f"\n[{header}]\n" if isinstance(value, Mapping) else f"\n[[{header}]]\n"
            yield from _toml(one, (*path, name))


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and bool(value) and isinstance(value[0], Mapping))


def _toml_value(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml_value, value))}]"
    return json.dumps(value, ensure_ascii=False)  # a TOML value, too, where it is a string, a number or a boolean
