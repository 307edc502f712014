"""The HTTP side of a WebSocket connection (pure): our request, and what the server's answer to it means.

Written out here instead of left to the library, because a diagnosis needs the answers that a WebSocket library
treats as garbage: HTTP/1.0, errors whose body never ends, pages of captive portals. Sources: RFC 6455 §4, RFC 9110,
OCPP-J 1.6 §3 and §6.2.1, OCPP security whitepaper A00.FR.203 and A00.FR.303.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from agent.charging.value import Value

HEAD_LIMIT = 16 * 1024
"""Bytes a response's status line and headers may have together."""

BODY_SHOWN = 1024
"""Bytes of a response's body that are read, for the diagnosis."""

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Head(Value):
    """Status line and headers of an HTTP response. Header names are lower case, repeated ones joined by ", "."""

    status: int
    reason: str
    headers: dict[str, str]
    length: int
    """Bytes up to and including the empty line."""

    def tokens(self, name: str) -> list[str]:
        """The comma-separated values of a header, lower case."""
        return [token.strip().lower() for token in self.headers.get(name, "").split(",")]


def upgrade_request(
    authority: str, resource: str, key: str, subprotocols: Sequence[str], authorization: str | None
) -> bytes:
    """The opening handshake of the client (RFC 6455 §4.1). No extension is offered: compressed frames would cost
    more memory per connection than they save on OCPP's short messages.
    """
    lines = [
        f"GET {resource} HTTP/1.1",
        f"Host: {authority}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Protocol: {', '.join(subprotocols)}",
        "User-Agent: evse-agent",
    ]
    if authorization is not None:
        lines.append(f"Authorization: {authorization}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def basic_authorization(username: str, password: bytes) -> str:
    """The value of an (Proxy-)Authorization header. The password's bytes go out as they are (RFC 7617)."""
    return "Basic " + base64.b64encode(username.encode() + b":" + password).decode("ascii")


def parse_head(data: bytes) -> Head | None:
    """The head of the response in `data`, or None while more is needed.

    Raises:
        ValueError: this is not an HTTP response, or its head is larger than `HEAD_LIMIT`.
    """
    if not (data[:5] == b"HTTP/" or b"HTTP/".startswith(data)):
        raise ValueError("not an HTTP response")
    end = data.find(b"\r\n\r\n", 0, HEAD_LIMIT)
    if end < 0:
        if len(data) >= HEAD_LIMIT:
            raise ValueError(f"response headers of more than {HEAD_LIMIT} bytes")
        return None
    status_line, *lines = data[:end].decode("iso-8859-1").split("\r\n")
    version, _, rest = status_line.partition(" ")
    status, _, reason = rest.partition(" ")
    if not (len(status) == 3 and status.isascii() and status.isdigit()) or version not in ("HTTP/1.1", "HTTP/1.0"):
        raise ValueError("malformed HTTP status line")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise ValueError("malformed HTTP header")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Head(int(status), reason, headers, end + 4)


def broken_rule(head: Head, key: str) -> str | None:
    """What makes a 101 response unacceptable (RFC 6455 §4.1), apart from the subprotocol; None when all is well."""
    if "websocket" not in head.tokens("upgrade"):
        return "the header Upgrade does not say websocket"
    if "upgrade" not in head.tokens("connection"):
        return "the header Connection does not say Upgrade"
    # SHA-1 is what the protocol defines; it proves that the server understood, and protects nothing.
    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    if head.headers.get("sec-websocket-accept") != base64.b64encode(digest).decode("ascii"):
        return "the header Sec-WebSocket-Accept does not match our key"
    if head.headers.get("sec-websocket-extensions"):
        return "the server switched on an extension that was not offered"
    return None


def retry_after_s(head: Head, now_utc_ms: int) -> float | None:
    """Seconds the server asks to wait (RFC 9110 §10.2.3); None without a readable Retry-After.

    A date is taken relative to the server's own Date, as this device's clock may be wrong.
    """
    value = head.headers.get("retry-after")
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:9])
    until_utc_ms = _http_date_utc_ms(value)
    if until_utc_ms is None:
        return None
    server_utc_ms = _http_date_utc_ms(head.headers.get("date", ""))
    return max(0.0, (until_utc_ms - (now_utc_ms if server_utc_ms is None else server_utc_ms)) / 1000)


def _http_date_utc_ms(value: str) -> int | None:
    from email.utils import mktime_tz, parsedate_tz  # noqa: PLC0415 - needed by failures only

    parsed = parsedate_tz(value)
    if parsed is None:
        return None
    try:
        return mktime_tz(parsed) * 1000
    except (ValueError, OverflowError):
        return None
