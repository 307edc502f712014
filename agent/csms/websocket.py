"""An open WebSocket: frames in and out, pings, and exactly one end.

A thin shell around the sans-I/O protocol of `websockets`. A message goes from the socket to its handler in one call,
without a task or a queue in between. Sources: RFC 6455 §5..§7, OCPP-J 1.6 §5.3 (pings).
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from websockets.exceptions import PayloadTooBig
from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, Protocol

from agent.csms.diagnosis import Diagnosis, DiagnosisCode, NotConnected, Phase, diagnose, printable
from agent.csms.dial import Established, utc_now_ms

if TYPE_CHECKING:
    from agent.csms.tls import TlsFacts

logger = logging.getLogger(__name__)

# At level debug the library would log the contents of frames, and with them passwords.
_frame_logger = logging.getLogger(f"{__name__}.frames")
_frame_logger.setLevel(logging.INFO)

MAX_MESSAGE_BYTES = 1024 * 1024
"""The largest message accepted, all its fragments together; a larger one ends the connection with 1009."""

MAX_UNSENT_BYTES = 1024 * 1024
"""What may wait for the network; more means that nobody takes it."""

PONG_DUE_S = 10.0
"""A pong is due within this time, or within the ping interval where that is shorter."""

CLOSE_TIMEOUT_S = 2.0
"""How long the peer has to answer our close frame."""

_YOUNG_S = 5.0
"""A connection that ends younger than this without one message from the CSMS was not meant to be."""

_Message = TypeVar("_Message", str, bytes)

_MESSAGE_TOO_BIG = 1009
_INVALID_DATA = 1007
_LONGEST_REASON = 123  # bytes: RFC 6455 §5.5


class Connection(asyncio.Protocol):
    """One open WebSocket.

    Nothing is received before `start`, so that a handler can be prepared with the connection in hand.

    Args:
        established: the upgraded connection; owned from here on.
        on_text: is called with each text message, from the event loop, until the connection ends.
        on_binary: likewise with binary ones, which OCPP does not use.
        ping_interval_s: WebSocketPingInterval, 0 for no pings of our own; the peer's are answered in any case.
        mono_s: the monotonic clock.
        utc_ms: the UTC clock, for diagnoses.
    """

    __slots__ = (
        "_active_s",
        "_binary",
        "_closed",
        "_established",
        "_fragments",
        "_heard_text",
        "_local_reason",
        "_mono_s",
        "_on_binary",
        "_on_text",
        "_ping_count",
        "_ping_interval_s",
        "_ping_sent_s",
        "_protocol",
        "_timer",
        "_transport",
        "_utc_ms",
        "bytes_received",
        "bytes_sent",
        "last_heard_mono_s",
        "latency_s",
        "opened_mono_s",
        "silent_s",
    )

    def __init__(
        self,
        established: Established,
        on_text: Callable[[str], None],
        on_binary: Callable[[bytes], None],
        *,
        ping_interval_s: float = 0.0,
        mono_s: Callable[[], float] = time.monotonic,
        utc_ms: Callable[[], int] = utc_now_ms,
    ) -> None:
        self._established = established
        self._transport = established.transport
        self._on_text = on_text
        self._on_binary = on_binary
        self._mono_s = mono_s
        self._utc_ms = utc_ms
        self._protocol = Protocol(CLIENT, max_size=MAX_MESSAGE_BYTES, logger=_frame_logger)
        self._fragments = bytearray()
        self._binary = False
        self._heard_text = False
        self._local_reason: str | None = None
        self._closed: asyncio.Future[Diagnosis] = asyncio.get_running_loop().create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._ping_interval_s = ping_interval_s
        self._ping_count = 0
        self._ping_sent_s: float | None = None
        self.opened_mono_s = self.last_heard_mono_s = self._active_s = mono_s()
        self.silent_s = 0.0
        """How long nothing had passed in either direction when the last data, or the end, came."""
        self.latency_s: float | None = None
        """Round trip of the last ping."""
        self.bytes_received = self.bytes_sent = 0
        """Bytes of frames, after decryption and without the handshake."""
        self._transport.set_protocol(self)

    def start(self) -> None:
        """Begins to receive; messages that came with the handshake are delivered before this returns."""
        if self._closed.done():
            return
        answer = self._established.answer
        if self.is_open:
            self._schedule_ping()
        if answer.received:
            self.data_received(bytes(answer.received))
            answer.received.clear()
        if answer.ended:
            self.connection_lost(answer.error)
        else:
            self._transport.resume_reading()

    @property
    def subprotocol(self) -> str:
        """What the CSMS selected: "ocpp1.6"."""
        return self._established.subprotocol

    @property
    def url(self) -> str:
        """Where it leads, for people: values in the query are hidden."""
        return self._established.endpoint.shown

    @property
    def address(self) -> str:
        """IP address of the peer, which is the proxy where there is one."""
        return self._established.address

    @property
    def tls(self) -> TlsFacts | None:
        """What TLS uses, None without TLS."""
        return self._established.tls

    @property
    def is_open(self) -> bool:
        """Whether `send_text` sends: neither side has begun to close."""
        return self._local_reason is None and not self._closed.done()

    def send_text(self, text: str) -> None:
        """Sends one message. It is on its way, not delivered, when this returns.

        Raises:
            NotConnected: the connection is closed or closing.
        """
        if not self.is_open:
            raise NotConnected("the connection to the CSMS is closed")
        self._protocol.send_text(text.encode())
        self._flush()
        self._check_unsent()

    def _check_unsent(self) -> None:
        """A peer that does not read: neither our messages nor the pongs that it asks for may fill the memory."""
        unsent = self._transport.get_write_buffer_size()
        if unsent > MAX_UNSENT_BYTES:
            self._finish(DiagnosisCode.SEND_STALLED, f"{unsent} bytes wait to be sent and nobody takes them")

    def set_ping_interval(self, ping_interval_s: float) -> None:
        """Changes WebSocketPingInterval; it counts from now."""
        self._ping_interval_s = ping_interval_s
        if self.is_open and self._ping_sent_s is None:
            self._schedule_ping()

    async def close(self, code: int = 1000, reason: str = "", timeout_s: float = CLOSE_TIMEOUT_S) -> Diagnosis:
        """Closes with a close frame, and without one after `timeout_s`. Returns how the connection ended, also when
        that was earlier.
        """
        self.start_closing(code, reason, timeout_s)
        return await self.wait_closed()

    def start_closing(self, code: int, reason: str, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Like `close`, but does not wait. Does nothing when closing has begun.

        Args:
            code: RFC 6455 §7.4.
            reason: for the peer, who gets its first 123 bytes, and for the diagnosis.
        """
        if not self.is_open:
            return
        self._local_reason = reason or "asked to close"
        self._protocol.send_close(code, reason.encode()[:_LONGEST_REASON].decode(errors="ignore"))
        self._flush()
        self._set_timer(timeout_s, self._close_timed_out)

    def abort(self, reason: str) -> None:
        """Ends the connection at once, without a close frame."""
        if self._closed.done():
            return
        self._local_reason = self._local_reason or reason
        self._transport.abort()
        self._finish(DiagnosisCode.CLOSED_LOCALLY, self._local_reason)

    async def wait_closed(self) -> Diagnosis:
        """Waits for the end, however long that takes, and tells its reason. There is exactly one."""
        return await asyncio.shield(self._closed)

    # asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        if self._closed.done():
            return
        self.last_heard_mono_s = now_s = self._mono_s()
        self.silent_s, self._active_s = now_s - self._active_s, now_s
        self.bytes_received += len(data)
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if self._closed.done():
                return
            if isinstance(event, Frame):
                self._frame_received(event)
        if self._closed.done():
            return
        self._flush()
        self._check_unsent()
        error = self._protocol.parser_exc
        if error is not None:
            self._refuse(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self.silent_s = self._mono_s() - self._active_s
        if self._local_reason is not None:
            self._finish(DiagnosisCode.CLOSED_LOCALLY, self._local_reason)
        elif isinstance(exc, ssl.SSLError):
            self._finish_early(DiagnosisCode.CONNECTION_LOST, f"TLS failed: {printable(exc.reason or 'closed')}")
        elif exc is not None:
            self._finish_early(DiagnosisCode.CONNECTION_LOST, f"the connection broke: {str(exc).lower()}")
        else:
            self._finish_early(DiagnosisCode.CONNECTION_LOST, "the other side hung up without closing the WebSocket")

    # Frames

    def _frame_received(self, frame: Frame) -> None:
        opcode = frame.opcode
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            self._binary = opcode is Opcode.BINARY
            if frame.fin:
                self._message_received(bytes(frame.data))
            else:
                self._fragments += frame.data
        elif opcode is Opcode.CONT:
            self._fragments += frame.data
            if frame.fin:
                message = bytes(self._fragments)
                self._fragments.clear()
                self._message_received(message)
        elif opcode is Opcode.PONG:
            self._pong_received(bytes(frame.data))
        elif opcode is Opcode.CLOSE:
            self._close_received()

    def _message_received(self, message: bytes) -> None:
        if self._binary:
            self._deliver(self._on_binary, message)
            return
        try:
            text = message.decode()
        except UnicodeDecodeError as error:
            self._protocol.fail(_INVALID_DATA, "invalid UTF-8")
            self._flush()
            seen = f"a text message is not UTF-8 from byte {error.start} on; closed with {_INVALID_DATA}"
            self._finish(DiagnosisCode.RECEIVED_INVALID, seen)
            return
        self._heard_text = True
        self._deliver(self._on_text, text)

    def _deliver(self, handler: Callable[[_Message], None], message: _Message) -> None:
        try:
            handler(message)
        except NotConnected:
            pass  # answering while we close: the CSMS will ask again
        except Exception:
            # A message that trips a fault of our own must not cost the connection: the next one may say stop.
            logger.exception("handling a message from the CSMS failed")

    def _refuse(self, error: Exception) -> None:
        if isinstance(error, PayloadTooBig):
            self._finish(
                DiagnosisCode.RECEIVED_TOO_BIG, f"a message exceeds {MAX_MESSAGE_BYTES} bytes; closed with 1009"
            )
        else:
            self._finish(DiagnosisCode.RECEIVED_INVALID, f"a frame breaks the protocol: {printable(str(error))}")

    def _close_received(self) -> None:
        self._flush()
        if self._local_reason is not None:
            self._finish(DiagnosisCode.CLOSED_LOCALLY, self._local_reason)
            return
        received = self._protocol.close_rcvd
        assert received is not None, "the protocol keeps the close frame it reports"
        reason = f" ({printable(received.reason)})" if received.reason else ""
        seen = f"the CSMS closed with code {received.code}{reason}"
        if received.code == _MESSAGE_TOO_BIG:
            self._finish(DiagnosisCode.MESSAGE_TOO_BIG, seen)
        else:
            self._finish_early(DiagnosisCode.CLOSED_BY_PEER, seen)

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:  # an empty one asks for a half-close; `_finish` closes both directions
                self.bytes_sent += len(data)
                self._active_s = self._mono_s()
                self._transport.write(data)

    # Pings: at any time one timer, for the next ping, for the pong or for the answer to our close frame.

    def _set_timer(self, delay_s: float, then: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay_s, then)

    def _schedule_ping(self, spent_s: float = 0.0) -> None:
        if self._ping_interval_s > 0:
            self._set_timer(max(0.0, self._ping_interval_s - spent_s), self._send_ping)
        elif self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send_ping(self) -> None:
        self._ping_count += 1
        self._ping_sent_s = self._mono_s()
        self._protocol.send_ping(self._ping_payload())
        self._flush()
        self._set_timer(min(PONG_DUE_S, self._ping_interval_s or PONG_DUE_S), self._pong_missed)

    def _ping_payload(self) -> bytes:
        return (self._ping_count & 0xFFFFFFFF).to_bytes(4, "big")

    def _pong_received(self, payload: bytes) -> None:
        # RFC 6455 §5.5.3: an unsolicited pong means nothing, and only the newest ping's is awaited.
        if self._ping_sent_s is None or payload != self._ping_payload():
            return
        self.latency_s = self._mono_s() - self._ping_sent_s
        self._ping_sent_s = None
        if self._local_reason is None:
            self._schedule_ping(self.latency_s)

    def _pong_missed(self) -> None:
        silent_s = self._mono_s() - self.last_heard_mono_s
        self._finish(DiagnosisCode.PONG_TIMEOUT, f"no pong to our ping, nothing heard for {silent_s:.0f} s")

    def _close_timed_out(self) -> None:
        self._transport.abort()
        self._finish(DiagnosisCode.CLOSED_LOCALLY, self._local_reason or "")

    # The end

    def _finish_early(self, code: DiagnosisCode, seen: str) -> None:
        """The peer ended it; at this age that is a refusal."""
        age_s = self._mono_s() - self.opened_mono_s
        if age_s < _YOUNG_S and not self._heard_text:
            code = DiagnosisCode.CLOSED_AFTER_HANDSHAKE
            seen = f"{seen}, {age_s:.1f} s after opening and without a message"
        self._finish(code, seen)

    def _finish(self, code: DiagnosisCode, seen: str) -> None:
        if self._closed.done():
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if code in _CLOSE_GENTLY:
            self._transport.close()
        else:
            self._transport.abort()
        diagnosis = diagnose(code, Phase.OPEN, f"{self.url} ({self.address}): {seen}", self._utc_ms())
        self._closed.set_result(diagnosis)


# Where a close frame of ours may still be on its way out. A peer that takes nothing any more is not waited for.
_CLOSE_GENTLY = frozenset(
    {
        DiagnosisCode.CLOSED_AFTER_HANDSHAKE,
        DiagnosisCode.CLOSED_BY_PEER,
        DiagnosisCode.CLOSED_LOCALLY,
        DiagnosisCode.MESSAGE_TOO_BIG,
        DiagnosisCode.RECEIVED_INVALID,
        DiagnosisCode.RECEIVED_TOO_BIG,
    }
)
