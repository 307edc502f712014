"""Whatever happens, in whatever order, on ideal, slow or hostile hardware: what must hold after every step.

A machine of hypothesis throws facts and wishes at a station with two EVSEs, also such that make no sense, and looks at
everything that the station puts out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.charging import effects as ef
from agent.charging import events as ev
from agent.charging import variables as v
from agent.charging.characteristics import VariableId
from agent.charging.core import Output
from agent.charging.device_model import DeviceModel, Source
from agent.charging.meter_values import MEASURANDS, MeterReading
from agent.charging.policy import Policy
from agent.charging.reports import AuthorizeRequest, BootRequest, MeterValuesReport, TransactionEvent
from agent.charging.reports import TransactionEventType as Kind
from agent.charging.station import Restored, Station
from agent.charging.transactions import TransactionPhase
from agent.charging.types import (
    AuthorizationStatus,
    Fault,
    IdToken,
    IdTokenInfo,
    Now,
    PilotState,
    RegistrationStatus,
    Session,
)

from .harness import START_MS, fixed_cable, socket
from .strategies import EVSES, FAULTS, INFOS, SETTINGS, TOKENS


class StationMachine(RuleBasedStateMachine):
    """Answers nothing by itself: every answer of the hardware and of the CSMS is a step of its own, or never comes."""

    @initialize(chosen=SETTINGS)
    def build(self, chosen: dict[VariableId, str]) -> None:
        self.specs = (socket(1), fixed_cable(2))
        model_specs = v.station_variables(self.specs, vendor="A", model="B", serial_number="", firmware_version="")
        self.model = DeviceModel(model_specs, v.measurand_items(MEASURANDS))
        for variable, value in chosen.items():
            assert self.model.set(variable, value, Source.STATION).accepted
        ids = itertools.count(1)
        self.new_id: Callable[[], str] = lambda: f"id{next(ids)}"
        self.now = Now(0.1, START_MS)
        self.faults: dict[int, dict[tuple[str, str], Fault]] = {0: {}, 1: {}, 2: {}}
        self.feedback = {1: False, 2: False}
        self.ordered: dict[int, bool | None] = {1: None, 2: None}
        self.offered_a = {1: 0.0, 2: 0.0}
        self.register_wh = 1000.0
        self.questions: list[Output] = []  # what has not been answered yet
        self.reports: dict[str, list[TransactionEvent]] = {}
        self.records: dict[str, ef.TransactionRecord] = {}
        self.stamps: dict[str, int] = {}
        self.deadline_s: float | None = None
        self.start(Restored())

    def start(self, restored: Restored) -> None:
        self.station = Station(
            self.specs, Policy(self.model), self.now, new_id=self.new_id, jitter=lambda: 0.5, restored=restored
        )
        self.observe()

    def apply(self, event: ev.Event) -> None:
        self.station.apply(event, self.now)
        self.observe()

    # --- looking at what comes out ----------------------------------------------------------------------------------

    def observe(self) -> None:
        for output in self.station.drain():
            match output:
                case ef.CloseContactor():
                    self.may_close(output.evse_id)
                    self.ordered[output.evse_id] = True
                case ef.OpenContactor():
                    self.ordered[output.evse_id] = False
                case ef.OfferCurrent():
                    assert output.current_a == 0 or 6 <= output.current_a <= 32
                    self.offered_a[output.evse_id] = output.current_a
                case ef.UnlockConnector():
                    # The latch after the contactor: none is released where power is wanted.
                    assert not self.ordered[output.evse_id]
                    assert self.offered_a[output.evse_id] == 0
                case TransactionEvent():
                    self.told(output)
                case MeterValuesReport() if output.transaction_id is not None:
                    earlier = self.reports[output.transaction_id]
                    assert earlier[-1].kind is not Kind.ENDED
                    self.stamped(output.transaction_id, [value.at_ms for value in output.values])
                case ef.SaveTransaction():
                    self.records[output.record.transaction_id] = output.record
                case ef.ForgetTransaction():
                    self.records.pop(output.transaction_id, None)
            if isinstance(output, ef.ReadMeter | ef.SelfCheck | AuthorizeRequest | BootRequest):
                self.questions.append(output)

    def may_close(self, evse_id: int) -> None:
        evse = self.station.evses[evse_id]
        transaction = evse.transaction
        assert transaction is not None
        assert transaction.phase is TransactionPhase.ACTIVE
        assert transaction.id_token is not None
        assert evse.session is Session.TRANSACTION
        assert self.reports[transaction.transaction_id][0].kind is Kind.STARTED
        assert evse.plug.ev_connected
        assert evse.plug.pilot is PilotState.C
        assert not self.blocked(evse_id)
        assert self.offered_a[evse_id] > 0

    def blocked(self, evse_id: int) -> bool:
        return any(fault.blocking for where in (0, evse_id) for fault in self.faults[where].values())

    def told(self, report: TransactionEvent) -> None:
        earlier = self.reports.setdefault(report.transaction_id, [])
        assert (report.kind is Kind.STARTED) == (not earlier), "one start, and it comes first"
        assert all(before.kind is not Kind.ENDED for before in earlier), "nothing after the end"
        assert report.seq_no == len(earlier)
        assert (report.stop_reason is not None) == (report.kind is Kind.ENDED)
        if earlier:
            assert report.register_wh >= earlier[-1].register_wh
        energy = [
            sampled.value
            for value in report.values
            for sampled in value.values
            if sampled.measurand == "Energy.Active.Import.Register"
        ]
        floor_wh = earlier[-1].register_wh if earlier else report.register_wh
        assert all(value >= floor_wh >= 1000 for value in energy), "never a placeholder"
        assert report.register_wh >= 1000
        earlier.append(report)
        self.stamped(report.transaction_id, [*(value.at_ms for value in report.values), report.at_ms])

    def stamped(self, transaction_id: str, stamps_ms: list[int]) -> None:
        for at_ms in stamps_ms:
            assert at_ms >= self.stamps.get(transaction_id, 0), "stamps never run back"
            self.stamps[transaction_id] = at_ms

    @invariant()
    def power_is_off_where_it_must_be(self) -> None:
        for evse_id, evse in self.station.evses.items():
            running = evse.transaction is not None and evse.transaction.phase is TransactionPhase.ACTIVE
            if (
                self.blocked(evse_id)
                or not evse.plug.ev_connected
                or not running
                or evse.plug.pilot is not PilotState.C
            ):
                assert not self.ordered[evse_id]
            if self.blocked(evse_id) or not evse.plug.ev_connected or not running:
                assert self.offered_a[evse_id] == 0
            if self.feedback[evse_id] and not self.ordered[evse_id]:
                assert self.ordered[evse_id] is False, "closed without an order: told to open"

    @invariant()
    def what_runs_is_saved(self) -> None:
        running = {each for each, reports in self.reports.items() if reports[-1].kind is not Kind.ENDED}
        assert set(self.records) == running
        for transaction_id in running:
            record, last = self.records[transaction_id], self.reports[transaction_id][-1]
            assert record.seq_no == last.seq_no + 1
            assert record.last_ms >= self.stamps[transaction_id]
            assert record.last_wh >= last.register_wh

    # --- time -------------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.0, 0.013, 1.0, 3.7, 61.0, 4000.0]), steps=st.sampled_from([0] * 8 + [-3600, 3600]))
    def wait(self, seconds: float, steps: int) -> None:
        """The clock may be set meanwhile; the station is woken as it asks, and must come to rest."""
        end_s = self.now.mono_s + seconds
        self.now = self.now._replace(utc_ms=self.now.utc_ms + steps * 1000)
        past = 0
        for _ in range(300):
            deadline_s = self.station.next_deadline()
            if deadline_s is None or deadline_s > end_s:
                break
            past = past + 1 if deadline_s <= self.now.mono_s else 0
            assert past < 10, "busy loop"
            self.pass_to(max(deadline_s, self.now.mono_s))
        self.pass_to(end_s)

    @rule(seconds=st.sampled_from([-3600, -1, 3600]))
    def clock_corrected(self, seconds: int) -> None:
        """All stamps so far are found to be off by as much, and corrected on their way."""
        self.now = self.now._replace(utc_ms=self.now.utc_ms + seconds * 1000)
        self.stamps = {each: stamp_ms + seconds * 1000 for each, stamp_ms in self.stamps.items()}
        self.station.clock_stepped(seconds * 1000, self.now)
        self.observe()

    def pass_to(self, mono_s: float) -> None:
        elapsed_s = mono_s - self.now.mono_s
        self.now = Now(mono_s, self.now.utc_ms + round(elapsed_s * 1000))
        self.station.tick(self.now)
        self.observe()

    # --- hardware ---------------------------------------------------------------------------------------------------

    @rule(evse_id=EVSES, state=st.sampled_from(list(PilotState) + [PilotState.B, PilotState.C] * 3))
    def pilot(self, evse_id: int, state: PilotState) -> None:
        self.apply(ev.PilotChanged(evse_id, state))

    @rule(evse_id=EVSES, connector_id=st.sampled_from([1, 1, 1, 2]), present=st.booleans())
    def cable(self, evse_id: int, connector_id: int, *, present: bool) -> None:
        self.apply(ev.CableChanged(evse_id, connector_id, present, 20.0 if present else None))

    @rule(evse_id=EVSES, closed=st.booleans())
    def contactor(self, evse_id: int, *, closed: bool) -> None:
        if evse_id in self.feedback:
            self.feedback[evse_id] = closed
        self.apply(ev.ContactorChanged(evse_id, closed))

    @precondition(lambda self: any(self.ordered.values()))
    @rule()
    def contactor_obeys(self) -> None:
        for evse_id, closed in self.ordered.items():
            if closed is not None:
                self.feedback[evse_id] = closed
                self.apply(ev.ContactorChanged(evse_id, closed))

    @rule(evse_id=EVSES, locked=st.sampled_from([True, True, True, False]))
    def latch(self, evse_id: int, *, locked: bool) -> None:
        self.apply(ev.LockChanged(evse_id, locked))

    @rule(evse_id=EVSES, unlocked=st.booleans())
    def released(self, evse_id: int, *, unlocked: bool) -> None:
        self.apply(ev.UnlockFinished(evse_id, 1, None, unlocked))

    @rule(evse_id=st.sampled_from([0, 1, 1, 2]), fault=FAULTS)
    def fault(self, evse_id: int, fault: Fault) -> None:
        self.faults[evse_id][fault.key] = fault
        self.apply(ev.FaultRaised(evse_id, fault))

    @rule(evse_id=st.sampled_from([0, 1, 1, 2]), fault=FAULTS)
    def mended(self, evse_id: int, fault: Fault) -> None:
        self.faults[evse_id].pop(fault.key, None)
        self.apply(ev.FaultCleared(evse_id, fault.code, fault.vendor_code))

    @rule()
    def all_mended(self) -> None:
        for evse_id, faults in self.faults.items():
            for fault in list(faults.values()):
                faults.pop(fault.key)
                self.apply(ev.FaultCleared(evse_id, fault.code, fault.vendor_code))

    @rule(evse_id=EVSES, current_a=st.sampled_from([0.0, 5.9, 6.0, 16.0, 32.0, 63.0]))
    def limit(self, evse_id: int, current_a: float) -> None:
        self.apply(ev.LimitChanged(evse_id, current_a))

    @rule(pressed=st.booleans())
    def emergency_stop(self, *, pressed: bool) -> None:
        fault = Fault("OtherError", "EmergencyStop")
        if pressed:
            self.faults[0][fault.key] = fault
        else:
            self.faults[0].pop(fault.key, None)
        self.apply(ev.EmergencyStopChanged(pressed))

    @precondition(lambda self: self.questions)
    @rule(data=st.data(), dead=st.sampled_from([False, False, False, True]), wh=st.integers(-500, 5000))
    def answer_one(self, data: st.DataObject, *, dead: bool, wh: int) -> None:
        """Late, out of order; the meter may be dead, or its register may run back (not below what it began with)."""
        question = self.questions.pop(data.draw(st.integers(0, len(self.questions) - 1)))
        self.answer(question, dead=dead, wh=wh, info=data.draw(INFOS))

    @precondition(lambda self: self.questions)
    @rule(info=INFOS)
    def answer_all(self, info: IdTokenInfo) -> None:
        questions, self.questions = self.questions, []
        for question in questions:
            self.answer(question, dead=False, wh=10, info=info)

    def answer(self, question: Output, *, dead: bool, wh: int, info: IdTokenInfo) -> None:
        match question:
            case ef.ReadMeter():
                self.register_wh = max(1000.0, self.register_wh + wh)
                reading = None if dead else MeterReading(self.now.utc_ms, self.register_wh)
                self.apply(ev.MeterRead(question.evse_id, question.purpose, question.due_ms, reading))
            case ef.SelfCheck():
                self.apply(ev.SelfChecked(question.evse_id))
            case AuthorizeRequest():
                self.apply(ev.Authorized(question.request_id, None if dead else info))
            case BootRequest():
                status = RegistrationStatus.PENDING if dead else RegistrationStatus.ACCEPTED
                self.apply(ev.BootAnswered(status, 5))

    @rule(evse_id=st.sampled_from([1, 2]), purpose=st.sampled_from(list(ef.ReadPurpose)))
    def reading_nobody_asked_for(self, evse_id: int, purpose: ef.ReadPurpose) -> None:
        reading = MeterReading(self.now.utc_ms, self.register_wh)
        self.apply(ev.MeterRead(evse_id, purpose, self.now.utc_ms, reading))

    # --- people and the CSMS ----------------------------------------------------------------------------------------

    @rule(token=TOKENS, evse_id=st.none() | EVSES)
    def card(self, token: IdToken, evse_id: int | None) -> None:
        self.apply(ev.IdTokenPresented(token, evse_id))

    @rule(evse_id=st.sampled_from([1, 2]), token=TOKENS)
    def charge(self, evse_id: int, token: IdToken) -> None:
        """All that it takes, so that the rest has something to disturb."""
        self.all_mended()
        self.apply(ev.EmergencyStopChanged(pressed=False))
        for event in (ev.LinkUp(), ev.CableChanged(evse_id, 1, present=True), ev.PilotChanged(evse_id, PilotState.B)):
            self.apply(event)
        self.apply(ev.IdTokenPresented(token, evse_id))
        for _ in range(2):
            self.answer_all(IdTokenInfo(AuthorizationStatus.ACCEPTED))
        self.apply(ev.LockChanged(evse_id, locked=True))
        self.apply(ev.PilotChanged(evse_id, PilotState.C))
        self.contactor_obeys()

    @rule(up=st.booleans())
    def link(self, *, up: bool) -> None:
        self.apply(ev.LinkUp() if up else ev.LinkDown())

    @precondition(lambda self: self.reports)
    @rule(data=st.data(), info=INFOS, started=st.booleans())
    def transaction_answered(self, data: st.DataObject, info: IdTokenInfo, *, started: bool) -> None:
        transaction_id = data.draw(st.sampled_from(sorted(self.reports)))
        self.apply(ev.TransactionAnswered(transaction_id, IdToken("ANNA"), info, started))

    @rule(token=TOKENS, evse_id=st.none() | EVSES, connector_id=st.sampled_from([None, 1, 2]))
    def remote_start(self, token: IdToken, evse_id: int | None, connector_id: int | None) -> None:
        self.station.request_start(token, evse_id, self.now, connector_id=connector_id)
        self.observe()

    @rule()
    def csms_changed(self) -> None:
        self.station.csms_changed(self.now)
        self.observe()

    @precondition(lambda self: self.reports)
    @rule(data=st.data())
    def remote_stop(self, data: st.DataObject) -> None:
        self.station.request_stop(data.draw(st.sampled_from(sorted(self.reports))), self.now)
        self.observe()

    @rule(evse_id=st.sampled_from([0, 1, 2]), connector_id=st.sampled_from([0, 1]), operative=st.booleans())
    def availability(self, evse_id: int, connector_id: int, *, operative: bool) -> None:
        self.station.request_availability(evse_id, connector_id if evse_id else 0, operative, self.now)
        self.observe()

    @rule(evse_id=EVSES)
    def unlock(self, evse_id: int) -> None:
        self.station.request_unlock(evse_id, 1, self.new_id(), self.now)
        self.observe()

    @rule(evse_id=st.none() | EVSES)
    def trigger(self, evse_id: int | None) -> None:
        self.station.trigger_meter_values(evse_id, self.now)
        self.station.trigger_status(evse_id, 1, self.now)
        self.observe()

    @rule(immediate=st.booleans())
    def reset(self, *, immediate: bool) -> None:
        """Every transaction is over within seconds, whatever the hardware does or does not do."""
        self.station.request_reset(immediate, self.now)
        self.observe()
        self.wait(0.0, 0)
        self.wait(20.0, 0)
        assert self.station.idle
        self.restart()

    @rule()
    def power_cut(self) -> None:
        """The station knows nothing any more but what was saved; every transaction that ran ends, once."""
        self.restart()
        assert all(reports[-1].kind is Kind.ENDED for reports in self.reports.values())

    def restart(self) -> None:
        self.questions.clear()
        self.faults = {0: {}, 1: {}, 2: {}}
        self.feedback = {1: False, 2: False}
        self.ordered = {1: None, 2: None}
        self.offered_a = {1: 0.0, 2: 0.0}
        self.start(Restored(transactions=tuple(self.records.values())))


StationMachine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestStation = StationMachine.TestCase
