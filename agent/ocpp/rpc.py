"""OCPP-J's RPC over one WebSocket connection, without the WebSocket: frames in, events and frames out.

The caller owns the connection and the clock. Each frame received yields exactly one event, and whatever the
frame contains, nothing is raised. Frames to send are returned as text. One session serves one connection:
after a reconnect there is a new one, and what was open in the old one is void.

Sources: 1.6 Part J §4 with its errata, 2.0.1 Part 4 §4.
"""

from collections.abc import Callable, Container
from enum import StrEnum
from typing import Any

from agent.charging.value import Value
from agent.ocpp.errors import (
    DESCRIPTION_LENGTH,
    ActionNotImplemented,
    CallError,
    CallPending,
    FormatViolation,
    GenericError,
    InvalidPayload,
    MessageTypeNotSupported,
    NoSuchCall,
    NotSupported,
    RpcFrameworkError,
)
from agent.ocpp.frames import decode, encode, read_head
from agent.ocpp.schema import Kind, Payload, actions, explain, tolerate, validator
from agent.ocpp.versions import OcppVersion

CALL, CALLRESULT, CALLERROR = 2, 3, 4

MESSAGE_ID_LENGTH = 36
"""Longest message id, in characters (1.6 Part J table 3)."""

ECHOED_ID_LENGTH = 255
"""A message id that is too long is repeated in the answer up to this length, not beyond."""

KEPT_DETAILS = 16
"""Members of a CALLERROR's details that are kept."""

OPEN_CALLS = 32
"""Calls of the CSMS that may wait for our answers at once. A CSMS that keeps to §4.1.1 needs one."""

_LATE_CALLS = 16
"""Calls given up of which a late answer is still understood."""

UNREADABLE_ID = "-1"
"""Message id in the answer to a frame without a usable one (2.0.1 Part 4 §4.2.3)."""


class FailureReason(StrEnum):
    """Why a call of ours has no usable answer."""

    REFUSED = "refused"
    """The CSMS answered CALLERROR."""
    UNUSABLE_ANSWER = "unusable answer"
    """The CSMS answered something that its schema forbids."""
    TIMED_OUT = "timed out"
    CONNECTION_CLOSED = "connection closed"


class CallReceived(Value):
    """The CSMS asks; the payload is valid. Owes an `RpcSession.answer` or `answer_error`, now or later."""

    message_id: str
    action: str
    payload: Payload


class CallRejected(Value):
    """The CSMS sent something faulty that is to be answered with `frame`; there is nothing else to do."""

    frame: str
    message_id: str
    error: CallError


class CallSucceeded(Value):
    """Our call was answered. `complaint` is for the log: what is wrong with the answer, yet harmless; or ""."""

    message_id: str
    action: str
    payload: Payload
    complaint: str


class CallFailed(Value):
    """Our call was not answered, or not usefully.

    `error` is what the CSMS said if REFUSED, and what is wrong with the answer if UNUSABLE_ANSWER.
    """

    message_id: str
    action: str
    reason: FailureReason
    error: CallError | None = None


class Ignored(Value):
    """A frame that OCPP says not to answer; `complaint` is for the log."""

    complaint: str


Event = CallReceived | CallRejected | CallSucceeded | CallFailed | Ignored


class _Pending(Value):
    message_id: str
    action: str
    deadline_s: float


class RpcSession:
    """The calls in both directions over one connection.

    Args:
        version: how frames and errors are spelled.
        supported: the actions of the CSMS that this station handles at present. It is asked at each call, so
            that a block can be switched off or on during the session.
    """

    __slots__ = ("_actions", "_late", "_open", "_pending", "_supported", "_validators", "_version")

    def __init__(self, version: OcppVersion, supported: Container[str]) -> None:
        self._version = version
        self._supported = supported
        self._actions = actions(version.package)
        self._validators: dict[tuple[str, Kind], Callable[[Payload], bool]] = {}
        self._pending: _Pending | None = None
        self._open: dict[str, str] = {}
        self._late: dict[str, str] = {}

    # calls of ours

    def call(self, action: str, payload: Payload, message_id: str, now_s: float, timeout_s: float) -> str:
        """Opens a call and returns the frame to send.

        Args:
            action: e.g. "BootNotification".
            payload: its request, in the version's own shape.
            message_id: up to 36 characters, never used before by this station, except for a repeated
                message, which may keep its id (OCPP-J 1.6 errata 3.1).
            now_s: monotonic time, seconds.
            timeout_s: how long to wait for the answer, seconds.

        Raises:
            CallPending: the call before is still unanswered.
            InvalidPayload: the action or the payload is not the version's; nothing is opened.
        """
        if self._pending is not None:
            raise CallPending(f"{self._pending.action} still waits for its answer")
        if not 0 < len(message_id) <= MESSAGE_ID_LENGTH:
            raise InvalidPayload(f"a message id has 1 to {MESSAGE_ID_LENGTH} characters")
        frame = self._encoded([CALL, message_id, action, payload], action, "request", payload)
        self._pending = _Pending(message_id, action, now_s + timeout_s)
        self._late.pop(message_id, None)
        return frame

    def next_deadline(self) -> float | None:
        """When `tick` has something to say: monotonic seconds; None while no call of ours is open."""
        return self._pending.deadline_s if self._pending else None

    def tick(self, now_s: float) -> CallFailed | None:
        """Gives up the pending call once its time is over. An answer that comes later is a `CallSucceeded` still."""
        if self._pending is None or now_s < self._pending.deadline_s:
            return None
        self._late[self._pending.message_id] = self._pending.action
        while len(self._late) > _LATE_CALLS:
            del self._late[next(iter(self._late))]
        return self._give_up(FailureReason.TIMED_OUT)

    def close(self) -> CallFailed | None:
        """The connection is gone: fails the pending call and forgets the calls of the CSMS."""
        self._open.clear()
        return self._give_up(FailureReason.CONNECTION_CLOSED) if self._pending else None

    # answers of ours

    def answer(self, message_id: str, payload: Payload) -> str:
        """Closes a call of the CSMS and returns the CALLRESULT to send.

        Raises:
            NoSuchCall: it is not open here.
            InvalidPayload: `payload` is not the action's response; the call stays open for `answer_error`.
        """
        action = self._open.get(message_id)
        if action is None:
            raise NoSuchCall(message_id)
        frame = self._encoded([CALLRESULT, message_id, payload], action, "response", payload)
        del self._open[message_id]
        return frame

    def answer_error(self, message_id: str, error: CallError) -> str:
        """Closes a call of the CSMS with an error and returns the CALLERROR to send.

        Raises:
            NoSuchCall: it is not open here.
        """
        if self._open.pop(message_id, None) is None:
            raise NoSuchCall(message_id)
        return self._error_frame(message_id, error)

    # frames of the CSMS

    def receive_text(self, frame: str | bytes) -> Event:
        """What a text frame means. Bytes are taken as UTF-8."""
        try:
            message = decode(frame)
        except (ValueError, RecursionError) as error:
            return self._unreadable(frame, error)
        if not isinstance(message, list) or not message:
            return self._malformed("the frame is not a JSON array with a message type")
        kind = message[0]
        if isinstance(kind, int):
            if kind == CALL:
                return self._call_received(message)
            if kind in {CALLRESULT, CALLERROR}:
                return self._answer_received(kind, message)
        return self._unknown_type(message)

    def receive_binary(self, frame: bytes) -> Ignored:
        """What a binary frame means: nothing, OCPP-J is text (§4.1.2)."""
        return Ignored(f"binary frame of {len(frame)} bytes")

    def _call_received(self, message: list[Any]) -> Event:  # noqa: PLR0911  one per way to be wrong
        message_id = message[1] if len(message) > 1 else None
        if not isinstance(message_id, str):
            return self._malformed("the call has no message id")
        if not 0 < len(message_id) <= MESSAGE_ID_LENGTH:
            if len(message_id) > ECHOED_ID_LENGTH:
                return self._malformed(f"the message id has {len(message_id)} characters")
            return self._rejected(
                message_id, RpcFrameworkError(f"a message id has 1 to {MESSAGE_ID_LENGTH} characters")
            )
        if len(message) != 4:
            return self._rejected(message_id, RpcFrameworkError("a call has 4 elements"))
        _, _, action, payload = message
        if not isinstance(action, str):
            return self._rejected(message_id, RpcFrameworkError("the action is not a string"))
        if message_id in self._open:
            return self._rejected(message_id, GenericError("a call with this message id is being handled"))
        if action not in self._actions:
            return self._rejected(message_id, ActionNotImplemented("there is no such action"))
        if action not in self._supported:
            return self._rejected(message_id, NotSupported(f"{action} is not available here"))
        if payload is None:  # allowed, if not liked, by §4.2.1
            payload = {}
        if not isinstance(payload, dict):
            return self._rejected(message_id, FormatViolation("the payload is not a JSON object"))
        if not self._is_valid(action, "request", payload):
            return self._rejected(message_id, explain(self._version.package, action, "request", payload))
        if len(self._open) >= OPEN_CALLS:
            return self._rejected(message_id, GenericError(f"{OPEN_CALLS} calls are being handled already"))
        self._open[message_id] = action
        return CallReceived(message_id, action, payload)

    def _answer_received(self, kind: int, message: list[Any]) -> Event:
        name = "CALLRESULT" if kind == CALLRESULT else "CALLERROR"
        message_id = message[1] if len(message) > 1 else None
        pending = self._pending
        if pending is None or message_id != pending.message_id:
            if kind == CALLRESULT and isinstance(message_id, str) and message_id in self._late:
                return self._late_answer(message_id, message)
            return Ignored(f"{name} to no call that waits: {_shown(message_id)}")
        if kind == CALLERROR:
            self._pending = None
            error = _error_from(self._version, message[2:])
            return CallFailed(pending.message_id, pending.action, FailureReason.REFUSED, error)
        if len(message) != 3:
            return self._unusable(pending, RpcFrameworkError("a call result has 3 elements"))
        payload = {} if message[2] is None else message[2]
        if not isinstance(payload, dict):
            return self._unusable(pending, FormatViolation("the payload is not a JSON object"))
        complaint: str | CallError = ""
        if not self._is_valid(pending.action, "response", payload):
            complaint = tolerate(self._version.package, pending.action, payload)
        if isinstance(complaint, CallError):
            return self._unusable(pending, complaint)
        self._pending = None
        return CallSucceeded(pending.message_id, pending.action, payload, complaint)

    def _late_answer(self, message_id: str, message: list[Any]) -> Event:
        """The CSMS did process what we have given up waiting for: worth more than a second attempt."""
        action = self._late.pop(message_id)
        payload = message[2] if len(message) == 3 else None
        if not isinstance(payload, dict) or not self._is_valid(action, "response", payload):
            return Ignored(f"late and unusable answer to {action}")
        return CallSucceeded(message_id, action, payload, "the answer came late")

    def _unreadable(self, frame: str | bytes, error: Exception) -> Event:
        """Not JSON, or too much. If the head tells whose answer it is, that call need not time out first."""
        cause = "nested too deeply" if isinstance(error, RecursionError) else str(error)[:100]
        head = read_head(frame)
        if head is None:
            return self._malformed(f"unreadable frame: {cause}")
        message_type, message_id = head
        if message_type == CALL:
            return self._rejected(message_id, FormatViolation(f"not JSON: {cause}"))
        pending = self._pending
        if pending is not None and pending.message_id == message_id:
            return self._unusable(pending, FormatViolation(f"not JSON: {cause}"))
        return Ignored(f"unreadable frame: {cause}")

    def _unknown_type(self, message: list[Any]) -> Event:
        complaint = f"message type {_shown(message[0])} is unknown"
        message_id = message[1] if len(message) > 1 else None
        if not self._version.answers_unreadable:
            return Ignored(complaint)
        if not isinstance(message_id, str) or not 0 < len(message_id) <= MESSAGE_ID_LENGTH:
            message_id = UNREADABLE_ID
        return self._rejected(message_id, MessageTypeNotSupported(complaint))

    def _malformed(self, complaint: str) -> Event:
        """No usable message id."""
        if not self._version.answers_unreadable:
            return Ignored(complaint)
        return self._rejected(UNREADABLE_ID, RpcFrameworkError(complaint))

    def _rejected(self, message_id: str, error: CallError) -> CallRejected:
        return CallRejected(self._error_frame(message_id, error), message_id, error)

    def _unusable(self, pending: _Pending, error: CallError) -> CallFailed:
        self._pending = None
        return CallFailed(pending.message_id, pending.action, FailureReason.UNUSABLE_ANSWER, error)

    def _give_up(self, reason: FailureReason) -> CallFailed:
        pending = self._pending
        assert pending is not None
        self._pending = None
        return CallFailed(pending.message_id, pending.action, reason)

    def _error_frame(self, message_id: str, error: CallError) -> str:
        return encode([CALLERROR, message_id, self._version.spell(error), error.description, error.details])

    def _is_valid(self, action: str, kind: Kind, payload: Payload) -> bool:
        check = self._validators.get((action, kind))
        if check is None:
            check = self._validators[action, kind] = validator(self._version.package, action, kind)
        return check(payload)

    def _encoded(self, message: list[Any], action: str, kind: Kind, payload: Payload) -> str:
        try:
            if not self._is_valid(action, kind, payload):
                error = explain(self._version.package, action, kind, payload)
                raise InvalidPayload(f"{action} {kind}: {error}")
            return encode(message)
        except (LookupError, TypeError, ValueError) as error:
            raise InvalidPayload(f"{action} {kind}: {error}") from error


def _error_from(version: OcppVersion, elements: list[Any]) -> CallError:
    """What a CALLERROR says in `elements`: code, description and details, any of them missing or wrong.

    Of the details the plain values are kept, and not at any length: they go to logs.
    """
    code, description, details = [*elements, None, None, None][:3]
    kept: dict[str, object] = {}
    if isinstance(details, dict):
        for name, value in list(details.items())[:KEPT_DETAILS]:
            if isinstance(value, str | bool | int | float):
                kept[name[:50]] = value[:DESCRIPTION_LENGTH] if isinstance(value, str) else value
    return version.understand(
        code if isinstance(code, str) else GenericError.code,
        description if isinstance(description, str) else "",
        kept,
    )


def _shown(value: object) -> str:
    """Something unexpected, for a log: short, printable, and no deeper than its type."""
    return ascii(value)[:40] if isinstance(value, str | int | None) else f"a JSON {type(value).__name__}"
