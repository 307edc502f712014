"""What went wrong with the link, in a form for programs (a stable code) and for a technician (plain words)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from agent.charging.value import Value
from agent.errors import AgentError


class Phase(StrEnum):
    """How far a connection got, in this order."""

    URL = "url"
    DNS = "dns"
    TCP = "tcp"
    PROXY = "proxy"
    TLS = "tls"
    UPGRADE = "upgrade"
    OPEN = "open"


class DiagnosisCode(StrEnum):
    """The stable names of everything that ends a connection or an attempt at one. `catalogue` says what each means."""

    URL_INVALID = "UrlInvalid"
    ROOT_CA_INVALID = "RootCaInvalid"
    CLIENT_CERTIFICATE_INVALID = "ClientCertificateInvalid"
    DNS_FAILED = "DnsFailed"
    DNS_UNAVAILABLE = "DnsUnavailable"
    CONNECTION_REFUSED = "ConnectionRefused"
    NETWORK_UNREACHABLE = "NetworkUnreachable"
    CONNECT_TIMEOUT = "ConnectTimeout"
    CONNECTION_RESET = "ConnectionReset"
    CONNECT_FAILED = "ConnectFailed"
    PROXY_UNREACHABLE = "ProxyUnreachable"
    PROXY_REFUSED = "ProxyRefused"
    TLS_UNKNOWN_ROOT = "TlsUnknownRoot"
    TLS_SELF_SIGNED = "TlsSelfSigned"
    TLS_INCOMPLETE_CHAIN = "TlsIncompleteChain"
    TLS_EXPIRED = "TlsExpired"
    TLS_NOT_YET_VALID = "TlsNotYetValid"
    TLS_WRONG_HOST = "TlsWrongHost"
    TLS_CERTIFICATE_INVALID = "TlsCertificateInvalid"
    TLS_PROTOCOL = "TlsProtocol"
    TLS_PLAIN_HTTP = "TlsPlainHttp"
    TLS_CLIENT_CERTIFICATE_REJECTED = "TlsClientCertificateRejected"
    HANDSHAKE_TIMEOUT = "HandshakeTimeout"
    HTTP_401_NO_CREDENTIALS = "Http401NoCredentials"
    HTTP_401_CREDENTIALS_NOT_SET = "Http401CredentialsNotSet"
    HTTP_401_CREDENTIALS_REJECTED = "Http401CredentialsRejected"
    HTTP_403 = "Http403"
    HTTP_404 = "Http404"
    HTTP_429 = "Http429"
    HTTP_5XX = "Http5xx"
    HTTP_REDIRECT = "HttpRedirect"
    HTTP_UNEXPECTED = "HttpUnexpected"
    HANDSHAKE_INVALID = "HandshakeInvalid"
    SUBPROTOCOL_MISSING = "SubprotocolMissing"
    SUBPROTOCOL_WRONG = "SubprotocolWrong"
    CLOSED_AFTER_HANDSHAKE = "ClosedAfterHandshake"
    CLOSED_BY_PEER = "ClosedByPeer"
    CLOSED_LOCALLY = "ClosedLocally"
    CONNECTION_LOST = "ConnectionLost"
    PONG_TIMEOUT = "PongTimeout"
    SEND_STALLED = "SendStalled"
    MESSAGE_TOO_BIG = "MessageTooBig"
    RECEIVED_TOO_BIG = "ReceivedTooBig"
    RECEIVED_INVALID = "ReceivedInvalid"


class Diagnosis(Value):
    """Why there is no connection."""

    code: DiagnosisCode
    phase: Phase
    seen: str
    """What was observed: host, address, status, certificates, the device's clock. Never a credential."""
    causes: tuple[str, ...]
    """Likely first."""
    next_steps: tuple[str, ...]
    """What to do, in order."""
    ask_operator: str | None
    """What to ask or tell whoever runs the CSMS; None where it is not theirs."""
    retry_after_s: float | None
    """What the CSMS asked to wait."""
    at_utc_ms: int


class LinkError(AgentError):
    """Root of what this package raises."""


class DialFailed(LinkError):
    """There is no connection, and `diagnosis` tells why."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        self.diagnosis = diagnosis
        super().__init__(f"{diagnosis.code}: {diagnosis.seen}")


class NotConnected(LinkError):
    """The connection is closed or closing; nothing was sent."""


def diagnose(
    code: DiagnosisCode,
    phase: Phase,
    seen: str,
    at_utc_ms: int,
    *,
    causes: Iterable[str] = (),
    retry_after_s: float | None = None,
) -> Diagnosis:
    """The diagnosis for `code`, with the catalogue's advice.

    Args:
        seen: what was observed, in words.
        causes: what this very observation suggests, put before the catalogue's general causes.
        retry_after_s: what the CSMS asked to wait.
    """
    # A kilobyte of texts that a healthy station never needs.
    from agent.csms.catalogue import CATALOGUE  # noqa: PLC0415 - needed by failures only

    advice = CATALOGUE[code]
    return Diagnosis(
        code,
        phase,
        seen,
        (*causes, *advice.causes),
        advice.next_steps,
        advice.ask_operator,
        retry_after_s,
        at_utc_ms,
    )


def printable(text: str, limit: int = 200) -> str:
    """`text` from the network for a person's eyes: one line, no control characters, at most `limit` characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
