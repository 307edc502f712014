"""The conversation with the CSMS over one open connection after another: what is sent when, what an answer leads to.

Two lanes. The durable one is the journal's queue: strictly in order, each report until the CSMS has taken it or has
refused it often enough (1.6 §3.7). The immediate one holds what is about the present; it goes first where the durable
one is busy with the past or waits to try again, and otherwise each in its turn. One call at a time (OCPP-J 1.6 §4.1.1).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from agent.charging.device_model import DeviceModel
from agent.charging.events import BootAnswered, Event, LinkDown, LinkUp
from agent.charging.reports import (
    Report,
    TransactionEvent,
    not_before,
    shifted,
)
from agent.charging.types import Now, RegistrationStatus
from agent.charging.value import Value
from agent.charging.variables import MESSAGE_ATTEMPT_INTERVAL, MESSAGE_ATTEMPTS, MESSAGE_TIMEOUT
from agent.csms.diagnosis import NotConnected
from agent.csms.present import PresentReports
from agent.csms.traffic import Traffic, trace
from agent.ocpp.adapter import Adapter, Answer, Call, Payload
from agent.ocpp.errors import (
    CallError,
    FormatViolation,
    InternalError,
    InvalidPayload,
    NoSuchCall,
    PropertyConstraintViolation,
)
from agent.ocpp.rpc import (
    CallFailed,
    CallReceived,
    CallRejected,
    CallSucceeded,
    FailureReason,
    Ignored,
    RpcSession,
)
from agent.ocpp.rpc import Event as RpcEvent
from agent.store.journal import Journal
from agent.store.queue import QueuedReport

logger = logging.getLogger(__name__)

_AFTER_BUG_S = 1.0


class Wire(Protocol):
    """The open connection, as far as the conversation needs it."""

    def send_text(self, text: str) -> None: ...


class Core(Protocol):
    """The station behind the conversation."""

    def apply(self, event: Event) -> None: ...
    def settle(self) -> None: ...
    def exchanged(self) -> None: ...
    def clock_seen(self, csms_ms: int) -> None: ...
    def now(self) -> Now: ...
    @property
    def registration(self) -> RegistrationStatus | None: ...


class _Failed(Value):
    """A durable report that the CSMS did not process, since then, to be sent again later."""

    row: QueuedReport
    report: Report
    at_s: float


class Uplink:
    """One conversation. `opened` and `closed` follow the connection; `run` sends."""

    def __init__(
        self, core: Core, adapter: Adapter, journal: Journal, model: DeviceModel, new_id: Callable[[], str]
    ) -> None:
        self._core = core
        self._adapter = adapter
        self._journal = journal
        self._model = model
        self._new_id = new_id
        self._present = PresentReports(self._not_told)
        self._wire: Wire | None = None
        self._session = RpcSession(adapter.version, adapter.supported)
        self._answered: asyncio.Future[CallSucceeded | CallFailed] | None = None
        self._wake = asyncio.Event()
        self._backlog_seq = 0
        self._learning: asyncio.Future[None] | None = None
        self._failed: _Failed | None = None
        self._asked_id = ""
        self._values_limit: int | None = None
        self._sending_values = 0
        self.sent = 0
        self.refused = 0
        self.traffic = Traffic()

    # --- the connection -----------------------------------------------------------------------------------------------

    def opened(self, wire: Wire) -> None:
        self._wire = wire
        self._session = RpcSession(self._adapter.version, self._adapter.supported)
        self._backlog_seq = self._journal.last_seq
        self._core.apply(LinkUp())
        self._wake.set()

    def closed(self, *, too_big: bool = False) -> None:
        """too_big: the peer closed because of the size of what it was sent (RFC 6455 §7.4.1, 1009)."""
        if self._wire is None:
            return
        self._wire = None
        failed = self._session.close()
        if too_big and failed is not None:
            failed = self._too_big(failed)
        if failed is not None:
            self._settle(failed)
        self._core.apply(LinkDown())
        self._present.clear()
        self._wake.set()

    def _too_big(self, failed: CallFailed) -> CallFailed:
        """What the peer closed for: to be sent with fewer meter values, or else refused like by an answer."""
        if self._sending_values > 2:
            self._values_limit = max(2, self._sending_values // 2)
            logger.warning(
                "the CSMS cannot take messages this long: meter values in one are now %d", self._values_limit
            )
            return failed
        return failed._replace(reason=FailureReason.REFUSED, error=FormatViolation("the CSMS closed: message too big"))

    # --- frames of the CSMS -------------------------------------------------------------------------------------------

    def text_received(self, frame: str) -> None:
        trace("received", frame)
        event = self._session.receive_text(frame)
        if isinstance(event, CallReceived):
            self._count(event.action, frame)
            self._handle(event)
        else:
            if isinstance(event, CallSucceeded | CallFailed):
                self._count(event.action, frame)
            self._other_received(event)

    def binary_received(self, frame: bytes) -> None:
        self._other_received(self._session.receive_binary(frame))

    def _handle(self, call: CallReceived) -> None:
        if self._core.registration is RegistrationStatus.REJECTED:
            logger.info("%s ignored: the CSMS has not accepted this station (1.6 §4.2)", call.action)
            self._session.answer_error(call.message_id, InternalError())  # unsaid; it must not stay open
            return
        try:
            payload = self._adapter.handle(call.action, call.payload, call.message_id, self._core.now())
            # What is answered Accepted is durable; what follows from it is sent after the answer all the same.
            self._core.settle()
            if payload is not None:
                self._send(self._session.answer(call.message_id, payload), call.action)
        except CallError as error:
            self._send(self._session.answer_error(call.message_id, error))
        except Exception:  # a handler's bug must cost one answer, not the station
            logger.exception("%s failed", call.action)
            self._send(self._session.answer_error(call.message_id, InternalError("the station failed to process it")))
        self._core.settle()

    def _other_received(self, event: RpcEvent) -> None:
        match event:
            case CallSucceeded() | CallFailed():
                self._settle(event)
            case CallRejected():
                self.refused += 1
                logger.warning("CSMS: %s", event.error)
                self._send(event.frame)
            case Ignored():
                self.refused += 1
                logger.warning("CSMS: %s", event.complaint)
            case _:
                pass

    def _settle(self, outcome: CallSucceeded | CallFailed) -> None:
        if outcome.message_id == self._asked_id and self._answered is not None and not self._answered.done():
            self._answered.set_result(outcome)
            return
        failed = self._failed
        if isinstance(outcome, CallSucceeded) and failed is not None and failed.row.message_id == outcome.message_id:
            answer = self._understood(failed.report, outcome)
            if isinstance(answer, Answer):
                self._failed = None
                self._taken(failed.row, failed.report, answer)
                self._wake.set()

    def _count(self, action: str, frame: str) -> None:
        self.traffic.count(action, frame, self._core.now().utc_ms)

    def _send(self, frame: str, action: str = "other") -> None:
        if self._wire is None:
            return
        trace("sent", frame)
        self._count(action, frame)
        try:
            self._wire.send_text(frame)
        except NotConnected:
            logger.debug("not sent, the connection is closing")

    # --- reports ------------------------------------------------------------------------------------------------------

    def submit(self, report: Report) -> None:
        """A report about the present. Durable ones go through the journal."""
        answer = self._adapter.complete(report)
        if answer is not None:
            self._complete(report, answer)
            return
        if self._wire is None:
            self._not_told(report)
            return
        self._present.add(report, self._journal.last_seq)
        self._wake.set()

    def _not_told(self, report: Report) -> None:
        self._apply(self._adapter.failed(report))

    def _complete(self, report: Report, payload: Payload) -> None:
        ref = getattr(report, "ref", "")
        try:
            self._send(self._session.answer(ref, payload))
        except NoSuchCall:
            logger.info("the answer to %s came after its connection", ref)

    def wake(self) -> None:
        """Something may be there to be sent."""
        self._wake.set()

    # --- sending ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send, for ever: one call at a time, each when it is due."""
        while True:
            self._wake.clear()
            try:
                sent = self._wire is not None and await self._send_next()
            except Exception:  # a report with a bug in its way must cost that report, not the station
                logger.exception("a report could not be sent")
                await asyncio.sleep(_AFTER_BUG_S)
                sent = True
            if not sent:
                await self._sleep()

    async def _sleep(self) -> None:
        timeout_s = None
        if self._wire is not None and self._failed is not None:
            timeout_s = max(0.0, self._retry_in_s(self._failed))
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _send_next(self) -> bool:
        """False: nothing is to be sent now."""
        head = await self._due_head()
        accepted = self._core.registration is RegistrationStatus.ACCEPTED
        report = self._present.next(head.seq if head else None, self._backlog_seq, accepted=accepted)
        if report is not None:
            await self._send_present(report)
            return True
        if head is None or self._wire is None:
            return False
        await self._send_durable(head)
        return True

    async def _due_head(self) -> QueuedReport | None:
        if self._failed is not None and self._retry_in_s(self._failed) > 0:
            return None
        self._failed = None
        if self._core.registration is not RegistrationStatus.ACCEPTED:
            return None
        if self._learning is not None and not self._learning.done():
            return None
        return await self._journal.head()

    async def _send_present(self, report: Report) -> None:
        call = self._adapter.encode(report)
        if call is None:
            self._apply(self._adapter.unsaid(report))
            return
        answer = await self._ask(report, call, self._new_id())
        if isinstance(answer, CallFailed):
            logger.warning("%s: %s", call.action, _why(answer))
            self._not_told(report)
        else:
            self._apply(answer.events)

    async def _send_durable(self, row: QueuedReport) -> None:
        try:
            report, call = await self._encode(row)
        except Exception:  # one report that cannot be said must not keep the others from being said
            logger.exception("%s of the transaction %s cannot be encoded", row.kind, row.transaction_id)
            await self._journal.park(row, "cannot be encoded", self._core.now().utc_ms)
            return
        if call is None:
            await self._journal.delivered(row)
            return
        answer = await self._ask(report, call, row.message_id)
        if isinstance(answer, CallFailed):
            self._durable_failed(row, report, answer)
            return
        self._taken(row, report, answer)

    def _taken(self, row: QueuedReport, report: Report, answer: Answer) -> None:
        """The CSMS has taken the report."""
        sent_ms = report.at_ms if isinstance(report, TransactionEvent) else 0
        durable = self._journal.delivered(row, csms_id=answer.csms_id, sent_ms=sent_ms)
        if answer.csms_id is not None:
            # What the CSMS calls the transaction must be known for good before more is said of it.
            self._learning = durable
            durable.add_done_callback(lambda _done: self._wake.set())
        self._apply(answer.events)
        self._core.settle()

    def _apply(self, events: tuple[Event, ...]) -> None:
        for event in events:
            if isinstance(event, BootAnswered):
                accepted = event.status is RegistrationStatus.ACCEPTED
                logger.log(
                    logging.INFO if accepted else logging.WARNING,
                    "registration: %s by the CSMS, interval %d s",
                    event.status,
                    event.interval_s,
                )
            self._core.apply(event)

    async def _encode(self, row: QueuedReport) -> tuple[Report, Call | None]:
        journal = self._journal
        self._sending_values = 0
        report = shifted(row.report, journal.correction_ms(row.boot, row.seq))
        transaction_id = report.transaction_id
        if transaction_id is None:
            return report, self._adapter.encode(report)
        report = not_before(report, journal.sent_ms.get(transaction_id, 0))
        if isinstance(report, TransactionEvent) and row.kind == "Ended":
            data = await journal.data(transaction_id)
            if self._values_limit is not None and len(data) > self._values_limit:
                step = -(-(len(data) - 1) // (self._values_limit - 1))
                data = (*data[:-1:step], data[-1])
            self._sending_values = len(data)
            report = report._replace(data=data)
        return report, self._adapter.encode(report)

    def _durable_failed(self, row: QueuedReport, report: Report, failure: CallFailed) -> None:
        if failure.reason is FailureReason.CONNECTION_CLOSED:
            return  # not the CSMS's word on it: sent again on the next connection
        attempts = self._model.integer(MESSAGE_ATTEMPTS)
        self._journal.failed(row)
        logger.warning("%s: attempt %d of %d: %s", failure.action, row.attempts, attempts, _why(failure))
        if row.attempts >= attempts:
            self._journal.park(row, f"{failure.action}: {_why(failure)}", self._core.now().utc_ms)
            logger.error("%s is set aside: the CSMS does not take it", failure.action)
            return
        self._failed = _Failed(row, report, self._core.now().mono_s)

    def _retry_in_s(self, failed: _Failed) -> float:
        """By the interval as it is now: one that was set by mistake can be mended (1.6 §3.7.1)."""
        interval_s = self._model.integer(MESSAGE_ATTEMPT_INTERVAL)
        return failed.at_s + interval_s * failed.row.attempts - self._core.now().mono_s

    async def _ask(self, report: Report, call: Call, message_id: str) -> Answer | CallFailed:
        """The call and what its answer means."""
        outcome = await self._call(call, message_id)
        return outcome if isinstance(outcome, CallFailed) else self._understood(report, outcome)

    def _understood(self, report: Report, outcome: CallSucceeded) -> Answer | CallFailed:
        if outcome.complaint:
            logger.warning("answer to %s: %s", outcome.action, outcome.complaint)
        try:
            answer = self._adapter.answered(report, outcome.payload)
        except CallError as error:
            return CallFailed(outcome.message_id, outcome.action, FailureReason.UNUSABLE_ANSWER, error)
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            reason = PropertyConstraintViolation(repr(error))
            return CallFailed(outcome.message_id, outcome.action, FailureReason.UNUSABLE_ANSWER, reason)
        if answer.csms_ms is not None:
            self._core.clock_seen(answer.csms_ms)
        return answer

    async def _call(self, call: Call, message_id: str) -> CallSucceeded | CallFailed:
        if self._wire is None:  # lost while the call was being made up
            return CallFailed(message_id, call.action, FailureReason.CONNECTION_CLOSED)
        now = self._core.now()
        timeout_s = float(self._model.integer(MESSAGE_TIMEOUT))
        session = self._session
        try:
            frame = session.call(call.action, call.payload, message_id, now.mono_s, timeout_s)
        except InvalidPayload as error:
            # Ours to mend; the report takes the way of one that the CSMS refuses.
            logger.exception("%s cannot be sent", call.action)
            return CallFailed(message_id, call.action, FailureReason.REFUSED, InternalError(str(error)))
        answered: asyncio.Future[CallSucceeded | CallFailed] = asyncio.get_running_loop().create_future()
        self._answered, self._asked_id = answered, message_id
        self.sent += 1
        self._core.exchanged()
        self._send(frame, call.action)
        try:
            # Not cancelled by the timeout: an answer may come in the same moment.
            await asyncio.wait((answered,), timeout=timeout_s)
            if answered.done():
                return answered.result()
            expired = session.tick(now.mono_s + timeout_s)
            assert expired is not None, "neither answered nor failed, so it is pending"
            return expired
        finally:
            self._answered = None


def _why(failure: CallFailed) -> str:
    return f"{failure.reason}: {failure.error}" if failure.error else str(failure.reason)
