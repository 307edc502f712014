"""The TLS phase of a dial: the handshake, and what to make of a failed one. Imported for wss:// only."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable

from agent.csms.answer import Answer
from agent.csms.diagnosis import DiagnosisCode, Phase, printable
from agent.csms.endpoint import Endpoint
from agent.csms.inspection import Inspector
from agent.csms.refusals import Refusal, Refused
from agent.csms.target import Target
from agent.csms.tls import (
    TlsSettingsError,
    client_context,
    handshake_code,
    is_acceptable,
    is_handshake_failure_alert,
    reason_words,
    verification_code,
)

_SHUTDOWN_S = 2.0
"""How long a closed TLS connection waits for the peer's farewell."""

_SILENT_REFUSAL = "The server wants a client certificate, or refuses the one installed, without saying so."


def context_for(target: Target) -> ssl.SSLContext:
    """The TLS context with the target's certificates.

    Raises:
        Refused: an installed certificate is unusable or missing.
    """
    if target.security_profile == 3 and target.client_certificate_pem is None:
        seen = "security profile 3 needs a client certificate and none is installed"
        raise Refused(Phase.TLS, Refusal(DiagnosisCode.CLIENT_CERTIFICATE_INVALID, seen))
    try:
        return client_context(target.root_ca_pem, target.client_certificate_pem, target.client_key_pem)
    except TlsSettingsError as error:
        raise Refused(Phase.TLS, Refusal(error.code, str(error))) from error


class TlsPhase:
    """The TLS handshake of one dial.

    Args:
        where: the server, in words.
        open_socket: opens another connected socket to it, for a look at its certificates.
    """

    __slots__ = ("_endpoint", "_inspector", "_open_socket", "_target", "_where")

    def __init__(
        self,
        target: Target,
        endpoint: Endpoint,
        where: str,
        inspector: Inspector,
        open_socket: Callable[[], Awaitable[socket.socket]],
    ) -> None:
        self._target = target
        self._endpoint = endpoint
        self._where = where
        self._inspector = inspector
        self._open_socket = open_socket

    async def handshake(
        self, sock: socket.socket, context: ssl.SSLContext, timeout_s: float
    ) -> tuple[asyncio.Transport, Answer]:
        """A verified TLS connection over `sock`, which is owned from here on.

        Raises:
            Refused: there is none.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.get_running_loop().create_connection(
                    Answer,
                    sock=sock,
                    ssl=context,
                    server_hostname=self._endpoint.host,
                    ssl_shutdown_timeout=_SHUTDOWN_S,
                )
        except TimeoutError as error:
            refusal = Refusal(DiagnosisCode.HANDSHAKE_TIMEOUT, f"{self._where} does not answer the TLS handshake")
            raise Refused(Phase.TLS, refusal) from error
        except ssl.SSLCertVerificationError as error:
            raise Refused(Phase.TLS, await self._unverified(error)) from error
        except OSError as error:
            raise Refused(Phase.TLS, await self._no_handshake(error)) from error

    def refused_after(self, error: ssl.SSLError) -> Refusal | None:
        """What an alert means that comes once the handshake is done on our side: in TLS 1.3 a server refuses the
        client's certificate only then. None if it is about something else.
        """
        if handshake_code(error) is not DiagnosisCode.TLS_CLIENT_CERTIFICATE_REJECTED:
            return None
        return self._certificate_rejected(error)

    def causes_of_silence(self) -> tuple[str, ...]:
        """What a server may mean that hangs up without an alert."""
        return (_SILENT_REFUSAL,)

    async def _unverified(self, error: ssl.SSLCertVerificationError) -> Refusal:
        from agent.csms.certificates import explain  # noqa: PLC0415 - needed by failures only

        inspection = await self._inspector.inspect(
            self._endpoint.host_port, str(error.verify_code), self._endpoint.host, self._open_socket
        )
        chain = inspection.chain if inspection else ()
        finding = explain(verification_code(error), chain, self._target.root_ca_pem, self._endpoint.host)
        seen = f"{self._where}: {printable(error.verify_message, 120)}; {finding.seen}"
        return Refusal(finding.code, seen, finding.causes)

    async def _no_handshake(self, error: OSError) -> Refusal:
        """A handshake that failed before the certificate was looked at."""
        code = handshake_code(error)
        if code is DiagnosisCode.TLS_CLIENT_CERTIFICATE_REJECTED:
            return self._certificate_rejected(error)
        if code is DiagnosisCode.TLS_PLAIN_HTTP:
            return Refusal(code, f"{self._where} does not speak TLS: {reason_words(error)}")
        # Many servers hang up without an alert, so the difference has to be found out.
        inspection = await self._inspector.inspect(
            self._endpoint.host_port, f"{code} {reason_words(error)}", self._endpoint.host, self._open_socket
        )
        seen = f"{self._where} broke the TLS handshake off: {reason_words(error)}"
        if inspection is not None and inspection.version:
            seen = f"{seen}; it offers {inspection.version} with {inspection.cipher}"
            if not is_acceptable(inspection.version, inspection.cipher):
                code = DiagnosisCode.TLS_PROTOCOL
        elif inspection is not None and inspection.refused and is_handshake_failure_alert(error):
            # It refuses even a client that takes every version and cipher: it misses a certificate of ours.
            return self._certificate_rejected(error)
        return Refusal(code, seen, self.causes_of_silence() if code is DiagnosisCode.CONNECTION_RESET else ())

    def _certificate_rejected(self, error: OSError) -> Refusal:
        installed = "one is installed" if self._target.client_certificate_pem else "none is installed"
        seen = f"{self._where}: {reason_words(error)}; client certificate: {installed}"
        return Refusal(DiagnosisCode.TLS_CLIENT_CERTIFICATE_REJECTED, seen)
