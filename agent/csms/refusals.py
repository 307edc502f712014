"""From what the network or the server answered to a diagnosis code and the words for it (pure)."""

from __future__ import annotations

import errno
import socket

from agent.charging.value import Value
from agent.csms.backoff import ATTEMPTS_PER_MINUTE
from agent.csms.diagnosis import DiagnosisCode, Phase, printable
from agent.csms.endpoint import Endpoint, shown_url
from agent.csms.target import Target
from agent.csms.upgrade import Head

_UNREACHABLE = (
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.EADDRNOTAVAIL,
    errno.EACCES,  # the last two: what a local firewall rule yields
    errno.EPERM,
)
_RESET = (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED)
_TLS_ALERT = b"\x15\x03"
_NAME_NOT_FOUND = (socket.EAI_NONAME, socket.EAI_NODATA)


class Refusal(Value):
    """Why it does not go on, before the catalogue's advice."""

    code: DiagnosisCode
    seen: str
    causes: tuple[str, ...] = ()


class Refused(Exception):
    """A dial stopped in `phase`."""

    def __init__(self, phase: Phase, refusal: Refusal, retry_after_s: float | None = None) -> None:
        self.phase = phase
        self.refusal = refusal
        self.retry_after_s = retry_after_s
        super().__init__(refusal.seen)


def dns_refusal(error: socket.gaierror, host: str) -> Refusal:
    """A failed lookup of `host`: the name does not exist, or nobody answered."""
    if error.errno in _NAME_NOT_FOUND:
        return Refusal(DiagnosisCode.DNS_FAILED, f"the name {host} does not exist")
    return Refusal(
        DiagnosisCode.DNS_UNAVAILABLE, f"no name server told the address of {host} ({error.strerror or error})"
    )


def socket_refusal(error: OSError, where: str) -> Refusal:
    """A TCP connection to `where` that could not be opened, or broke."""
    if isinstance(error, ConnectionRefusedError):
        return Refusal(DiagnosisCode.CONNECTION_REFUSED, f"{where} refuses connections")
    if isinstance(error, TimeoutError):
        return Refusal(DiagnosisCode.CONNECT_TIMEOUT, f"{where} does not react to the attempt to connect")
    if error.errno in _RESET:
        return Refusal(DiagnosisCode.CONNECTION_RESET, f"{where} cut the connection")
    reason = (error.strerror or str(error)).lower()
    if error.errno in _UNREACHABLE:
        return Refusal(DiagnosisCode.NETWORK_UNREACHABLE, f"no way to {where}: {reason}")
    return Refusal(DiagnosisCode.CONNECT_FAILED, f"cannot connect to {where}: {reason}")


def garbage_refusal(received: bytes, why: str, where: str) -> Refusal:
    """An answer that is no HTTP response."""
    if received.startswith(_TLS_ALERT):
        return Refusal(
            DiagnosisCode.HTTP_UNEXPECTED,
            f"{where} answered in TLS to a request without it",
            ("The port speaks TLS: csms.url must start with wss://.",),
        )
    start = printable(received[:80].decode("ascii", "replace"), 80)
    return Refusal(DiagnosisCode.HTTP_UNEXPECTED, f"{where} answered '{start}': {why}")


def status_refusal(head: Head, body: bytes, target: Target, endpoint: Endpoint, attempts_last_minute: int) -> Refusal:
    """A response other than 101 to the request for an upgrade.

    Args:
        body: its first bytes.
        attempts_last_minute: our own dial attempts.
    """

    def clean(text: str, limit: int) -> str:
        return printable(target.without_secrets(text), limit)

    status = f"HTTP {head.status} {clean(head.reason, 60)}".rstrip()
    shown_body = clean(body.decode("utf-8", "replace"), 300)
    seen = f"{endpoint.shown} answered {status}" + (f": {shown_body}" if shown_body else "")
    match head.status:
        case 401:
            return _unauthorized(target, seen)
        case 403:
            return Refusal(DiagnosisCode.HTTP_403, seen)
        case 404 | 410:
            return Refusal(DiagnosisCode.HTTP_404, f"{seen}; identity '{target.identity}'", _url_causes(target))
        case 429:
            asked = clean(head.headers.get("retry-after", ""), 40)
            rate = (
                f"this charger dialled {attempts_last_minute} times in the last minute, at most {ATTEMPTS_PER_MINUTE}"
            )
            return Refusal(DiagnosisCode.HTTP_429, f"{seen}; {rate}" + (f"; Retry-After: {asked}" if asked else ""))
        case redirect if 300 <= redirect < 400:
            location = clean(shown_url(head.headers.get("location", "")), 200)
            return Refusal(DiagnosisCode.HTTP_REDIRECT, f"{seen}; sends us to {location or 'nowhere'}")
        case broken if broken >= 500:
            return Refusal(DiagnosisCode.HTTP_5XX, seen)
        case 426:
            return Refusal(DiagnosisCode.HTTP_UNEXPECTED, seen, ("The server wants another WebSocket version.",))
        case _:
            return Refusal(DiagnosisCode.HTTP_UNEXPECTED, f"{seen}; it does not open a WebSocket")


def subprotocol_refusal(head: Head, target: Target) -> Refusal | None:
    """A handshake that settled no OCPP version we offered (OCPP-J 1.6 §3.2); None when it did."""
    offered = ", ".join(target.subprotocols)
    chosen = head.headers.get("sec-websocket-protocol", "")
    if not chosen:
        return Refusal(
            DiagnosisCode.SUBPROTOCOL_MISSING, f"the server did not select a subprotocol; offered: {offered}"
        )
    if chosen not in target.subprotocols:
        return Refusal(
            DiagnosisCode.SUBPROTOCOL_WRONG,
            f"the server selected the subprotocol '{printable(chosen, 60)}'; offered: {offered}",
        )
    return None


def _unauthorized(target: Target, seen: str) -> Refusal:
    profile = f"security profile {target.security_profile}"
    if not target.uses_password:
        return Refusal(
            DiagnosisCode.HTTP_401_NO_CREDENTIALS, f"{seen}; no password was sent, as {profile} does not use one"
        )
    if target.password is None:
        return Refusal(
            DiagnosisCode.HTTP_401_CREDENTIALS_NOT_SET, f"{seen}; {profile} needs a password and none is set"
        )
    length = len(target.password)
    return Refusal(
        DiagnosisCode.HTTP_401_CREDENTIALS_REJECTED,
        f"{seen}; sent the user name '{target.identity}' and a password of {length} bytes",
    )


def _url_causes(target: Target) -> tuple[str, ...]:
    path = target.url.partition("?")[0].rstrip("/")
    if path.rpartition("/")[2] == target.identity:
        return ("csms.url already ends with the identity, so it stands twice in the URL above.",)
    if target.identity != target.identity.strip():
        return ("The identity begins or ends with a space.",)
    return ()
