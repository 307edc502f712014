"""StatusNotification (1.6 §4.9, §6.47, §7.6, §7.7)."""

from __future__ import annotations

from itertools import product

import pytest

from agent.charging import events as ev
from agent.charging import variables as v
from agent.charging.reports import ConnectorReport, ConnectorView
from agent.charging.types import ChargingState, ConnectorStatus, Fault, Session
from agent.ocpp.adapter import Payload
from agent.ocpp.v16.adapter import StationIdentity
from hal.faults import FaultCode

from ...charging.harness import GROUND_FAILURE, WEAK_SIGNAL, fixed_cable, socket
from .rig import AT, AT_MS, Rig, two_sockets

ANY = (None, *ChargingState)

# What an operative connector without a fault shows
BY_SESSION = {
    (Session.AVAILABLE, ANY): "Available",
    (Session.PLUGGED, ANY): "Preparing",
    (Session.AUTHORIZED, ANY): "Preparing",
    (Session.TRANSACTION, (None,)): "Preparing",
    (Session.TRANSACTION, (ChargingState.EV_CONNECTED,)): "Preparing",
    (Session.TRANSACTION, (ChargingState.CHARGING,)): "Charging",
    (Session.TRANSACTION, (ChargingState.SUSPENDED_EV,)): "SuspendedEV",
    (Session.TRANSACTION, (ChargingState.SUSPENDED_EVSE,)): "SuspendedEVSE",
    (Session.TRANSACTION, (ChargingState.IDLE,)): "SuspendedEV",
    (Session.FINISHED, ANY): "Finishing",
}
# What shows whatever the session
INSTEAD = {
    ConnectorStatus.FAULTED: "Faulted",
    ConnectorStatus.UNAVAILABLE: "Unavailable",
    ConnectorStatus.RESERVED: "Reserved",
}


def report(
    status: ConnectorStatus = ConnectorStatus.AVAILABLE,
    session: Session = Session.AVAILABLE,
    charging_state: ChargingState | None = None,
    fault: Fault | None = None,
    info: str = "",
    *,
    evse_id: int = 1,
    forced: bool = False,
    at_ms: int = AT_MS,
) -> ConnectorReport:
    view = ConnectorView(evse_id, 1 if evse_id else 0, status, session, charging_state, fault, info)
    return ConnectorReport(view, at_ms, forced)


@pytest.fixture
def rig() -> Rig:
    return Rig()


class TestStatus:
    def test_every_combination_shows_one_of_the_nine(self, rig: Rig) -> None:
        """§7.7"""
        expected = {(session, state): shown for (session, states), shown in BY_SESSION.items() for state in states}
        assert len(expected) == len(Session) * len(ANY)
        for status, (session, state), fault in product(ConnectorStatus, expected, (None, WEAK_SIGNAL, GROUND_FAILURE)):
            shown = INSTEAD.get(status, expected[session, state])
            assert rig.payload(report(status, session, state, fault))["status"] == shown

    @pytest.mark.parametrize(
        ("status", "shown"),
        [
            (ConnectorStatus.AVAILABLE, "Available"),
            (ConnectorStatus.UNAVAILABLE, "Unavailable"),
            (ConnectorStatus.FAULTED, "Faulted"),
        ],
    )
    def test_the_station_is_connector_0_and_shows_one_of_three(
        self, rig: Rig, status: ConnectorStatus, shown: str
    ) -> None:
        """§4.9"""
        assert rig.payload(report(status, evse_id=0)) == {
            "connectorId": 0,
            "errorCode": "NoError",
            "status": shown,
            "timestamp": AT,
        }

    def test_connectors_are_numbered_through(self) -> None:
        """§3.8"""
        rig = Rig(two_sockets(1), socket(7))
        numbers = [rig.payload(ConnectorReport(view, AT_MS))["connectorId"] for view in rig.station.views()]
        assert numbers == [0, 1, 2, 3]
        assert rig.payload(report(evse_id=7))["connectorId"] == 3


class TestError:
    def test_every_fault_of_the_hardware_has_its_code(self, rig: Rig) -> None:
        """§7.6"""
        for code in FaultCode:
            payload = rig.payload(report(ConnectorStatus.FAULTED, fault=Fault(code.value)))
            assert (payload["errorCode"], payload["status"]) == (code, "Faulted")
            assert not payload.keys() & {"info", "vendorId", "vendorErrorCode"}

    def test_a_warning_comes_with_the_status_that_goes_on(self, rig: Rig) -> None:
        """§4.9"""
        payload = rig.payload(
            report(ConnectorStatus.OCCUPIED, Session.TRANSACTION, ChargingState.CHARGING, fault=WEAK_SIGNAL)
        )
        assert (payload["errorCode"], payload["status"]) == ("WeakSignal", "Charging")

    def test_what_the_vendor_adds_comes_with_the_vendors_name(self, rig: Rig) -> None:
        payload = rig.payload(report(ConnectorStatus.FAULTED, fault=Fault("OtherError", "E-17", "fuse 3 blown")))
        assert payload["errorCode"] == "OtherError"
        assert payload["info"] == "fuse 3 blown"
        assert payload["vendorErrorCode"] == "E-17"
        assert payload["vendorId"] == "Acme"

    @pytest.mark.parametrize(("length", "sent"), [(50, 50), (51, 50), (255, 50)])
    def test_info_and_vendor_code_fit_their_fields(self, rig: Rig, length: int, sent: int) -> None:
        """§6.47: CiString50Type"""
        payload = rig.payload(report(ConnectorStatus.FAULTED, fault=Fault("OtherError", "v" * length, "i" * length)))
        assert payload["info"] == "i" * sent
        assert payload["vendorErrorCode"] == "v" * sent

    def test_a_vendors_longest_name_fits(self) -> None:
        rig = Rig(identity=StationIdentity("Ä" * 20, "AC22", "", ""))
        assert rig.payload(report(fault=Fault("OtherError", "E")))["vendorId"] == "Ä" * 20

    def test_info_of_the_fault_comes_before_that_of_the_session(self, rig: Rig) -> None:
        silent, spoken = Fault("WeakSignal", blocking=False), Fault("WeakSignal", info="-110 dBm", blocking=False)
        assert rig.payload(report(fault=spoken, info="EV side disconnected"))["info"] == "-110 dBm"
        assert rig.payload(report(fault=silent, info="EV side disconnected"))["info"] == "EV side disconnected"


class TestRepetition:
    def hear(self, rig: Rig, heard: ConnectorReport) -> None:
        assert rig.tell(heard) is not None
        rig.answered(heard, "StatusNotification")

    def test_what_the_csms_has_heard_is_not_said_again(self, rig: Rig) -> None:
        self.hear(rig, report())
        assert rig.tell(report(at_ms=AT_MS + 1000)) is None
        assert rig.tell(report(evse_id=0)) is not None

    def test_what_differs_only_for_2x_is_not_said_again(self, rig: Rig) -> None:
        self.hear(rig, report(ConnectorStatus.OCCUPIED, Session.PLUGGED))
        assert rig.tell(report(ConnectorStatus.AVAILABLE, Session.AUTHORIZED)) is None

    @pytest.mark.parametrize(
        "other",
        [
            report(ConnectorStatus.FAULTED, fault=GROUND_FAILURE),
            report(fault=WEAK_SIGNAL),
            report(info="EV side disconnected"),
        ],
    )
    def test_each_difference_is_said(self, rig: Rig, other: ConnectorReport) -> None:
        self.hear(rig, report())
        assert rig.tell(other) is not None

    def test_another_fault_of_the_same_code_is_said(self, rig: Rig) -> None:
        self.hear(rig, report(fault=Fault("OtherError", "E-17")))
        assert rig.tell(report(fault=Fault("OtherError", "E-18"))) is not None

    def test_what_was_asked_for_is_said_again(self, rig: Rig) -> None:
        """§5.17"""
        self.hear(rig, report())
        assert rig.payload(report(forced=True, at_ms=AT_MS + 1000))["timestamp"] == "2024-01-01T00:00:01.250Z"

    def test_what_nobody_has_answered_is_said_again(self, rig: Rig) -> None:
        assert rig.tell(report()) is not None
        rig.adapter.failed(report())
        assert rig.tell(report()) is not None

    def test_after_a_lost_answer_the_csms_may_believe_either(self, rig: Rig) -> None:
        """It may have taken the second and we not its answer: going back to the first must be said."""
        charging = report(ConnectorStatus.OCCUPIED, Session.TRANSACTION, ChargingState.CHARGING)
        self.hear(rig, report())
        assert rig.tell(charging) is not None
        rig.adapter.failed(charging)
        assert rig.tell(report()) is not None

    def test_what_could_not_even_be_sent_changes_nothing(self, rig: Rig) -> None:
        """§4.9: back from offline with the status that the CSMS knows"""
        self.hear(rig, report())
        rig.adapter.failed(report(ConnectorStatus.OCCUPIED, Session.PLUGGED))
        assert rig.tell(report()) is None


class TestStory:
    """A station's life as its CSMS sees it; the letters are §4.9's."""

    def shown(self, rig: Rig) -> list[tuple[str, str, str]]:
        payloads: list[Payload] = [call.payload for call in rig.take(rig.of(ConnectorReport))]
        return [(p["status"], p["errorCode"], p.get("info", "")) for p in payloads if p["connectorId"] == 1]

    def statuses(self, rig: Rig) -> list[str]:
        return [status for status, _, _ in self.shown(rig)]

    def test_a_session(self, rig: Rig) -> None:
        """A2, B3, C4, D3, C6, F1"""
        rig.charge()
        rig.pause()
        rig.advance(60)
        rig.resume()
        rig.card()
        rig.unplug()
        shown = self.statuses(rig)
        assert shown == ["Preparing", "Charging", "SuspendedEV", "Charging", "Finishing", "Available"]

    def test_the_evses_restriction_comes_before_the_cars(self, rig: Rig) -> None:
        """C5, D5, E4: SuspendedEVSE has precedence"""
        rig.charge()
        rig.pause()
        rig.advance(60)
        rig.apply(ev.LimitChanged(1, 0.0))
        rig.apply(ev.LimitChanged(1, 16.0))
        rig.advance(60)
        assert self.statuses(rig) == ["Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "SuspendedEV"]

    def test_a_fault_and_back_to_the_status_before(self) -> None:
        """C9, I3"""
        rig = Rig(fixed_cable())
        rig.charge()
        rig.raise_fault()
        rig.clear_fault()
        rig.advance(60)
        shown = self.shown(rig)
        assert ("Faulted", "GroundFailure", "") in shown
        assert shown[-1] == ("Charging", "NoError", "")

    @pytest.mark.parametrize(("stops", "status"), [(True, "Finishing"), (False, "SuspendedEV")])
    def test_the_car_is_unplugged_at_its_side(self, stops: bool, status: str) -> None:
        rig = Rig(settings={v.STOP_TX_ON_EV_SIDE_DISCONNECT: stops})
        rig.charge()
        rig.unplug_car()
        assert self.shown(rig)[-1] == (status, "NoError", "EV side disconnected")

    def test_a_car_that_nobody_authorizes_in_time(self) -> None:
        """A2, B6 (errata 3.20), F1"""
        rig = Rig(settings={v.EV_CONNECTION_TIME_OUT: 30})
        rig.plug_in()
        rig.advance(31)
        rig.unplug()
        assert self.statuses(rig) == ["Preparing", "Finishing", "Available"]

    def test_unavailable_and_back(self, rig: Rig) -> None:
        """A8, H1"""
        rig.ask("ChangeAvailability", connectorId=1, type="Inoperative")
        rig.ask("ChangeAvailability", connectorId=1, type="Operative")
        assert self.statuses(rig) == ["Unavailable", "Available"]
