"""ChangeAvailability (1.6 §5.2)."""

from __future__ import annotations

import pytest

from agent.charging.effects import SaveAvailability
from agent.charging.reports import ConnectorReport

from ...charging.harness import socket
from .rig import Rig, two_sockets


def change(rig: Rig, connector_id: int, kind: str) -> str:
    return rig.status("ChangeAvailability", connectorId=connector_id, type=kind)


def shown(rig: Rig) -> dict[int, str]:
    """The present status by connectorId."""
    reports = [ConnectorReport(view, rig.now.utc_ms, forced=True) for view in rig.station.views()]
    payloads = [rig.payload(report) for report in reports]
    return {payload["connectorId"]: payload["status"] for payload in payloads}


def test_of_one_connector() -> None:
    rig = Rig(socket(1), socket(2))
    assert change(rig, 2, "Inoperative") == "Accepted"
    assert shown(rig) == {0: "Available", 1: "Available", 2: "Unavailable"}
    assert change(rig, 2, "Operative") == "Accepted"
    assert shown(rig) == {0: "Available", 1: "Available", 2: "Available"}


def test_of_one_connector_of_an_evse() -> None:
    rig = Rig(two_sockets(1), socket(2))
    assert change(rig, 2, "Inoperative") == "Accepted"
    assert shown(rig) == {0: "Available", 1: "Available", 2: "Unavailable", 3: "Available"}


def test_of_connector_0_is_of_the_station_and_all_connectors() -> None:
    rig = Rig(two_sockets(1), socket(2))
    assert change(rig, 0, "Inoperative") == "Accepted"
    assert set(shown(rig).values()) == {"Unavailable"}
    assert change(rig, 0, "Operative") == "Accepted"
    assert set(shown(rig).values()) == {"Available"}


def test_a_connector_can_be_set_operative_again_by_itself() -> None:
    """§4.9: the status of connector 0 has no direct connection to those of the others."""
    rig = Rig(socket(1), socket(2))
    change(rig, 0, "Inoperative")
    assert change(rig, 1, "Operative") == "Accepted"
    assert (shown(rig)[1], shown(rig)[2]) == ("Available", "Unavailable")


def test_each_change_is_told_once() -> None:
    rig = Rig(socket(1), socket(2))
    change(rig, 0, "Inoperative")
    change(rig, 0, "Operative")
    told = rig.notified
    assert sorted(told[:3]) == [(0, "Unavailable"), (1, "Unavailable"), (2, "Unavailable")]
    assert sorted(told[3:]) == [(0, "Available"), (1, "Available"), (2, "Available")]


@pytest.mark.parametrize("connector_id", [0, 1])
def test_waits_for_the_transaction(connector_id: int) -> None:
    rig = Rig()
    rig.charge()
    assert change(rig, connector_id, "Inoperative") == "Scheduled"
    assert shown(rig)[1] == "Charging"
    rig.card()
    rig.unplug()
    assert shown(rig)[1] == "Unavailable"


@pytest.mark.parametrize("connector_id", [0, 1])
def test_to_what_it_is_already_is_accepted(connector_id: int) -> None:
    rig = Rig()
    assert change(rig, connector_id, "Operative") == "Accepted"
    rig.charge()
    assert change(rig, connector_id, "Operative") == "Accepted"
    rig.card()
    change(rig, connector_id, "Inoperative")
    rig.log.clear()
    assert change(rig, connector_id, "Inoperative") == "Accepted"
    assert not rig.of(SaveAvailability)


class TestAmongOthers:
    """What another connector waits for is none of the addressed one's business."""

    def waiting(self) -> Rig:
        """Connector 2 charges and is to be Unavailable afterwards."""
        rig = Rig(socket(1), socket(2))
        rig.charge(2)
        assert change(rig, 2, "Inoperative") == "Scheduled"
        return rig

    @pytest.mark.parametrize("kind", ["Operative", "Inoperative"])
    def test_a_change_at_once_is_accepted(self, kind: str) -> None:
        assert change(self.waiting(), 1, kind) == "Accepted"

    def test_taking_back_what_was_scheduled_is_accepted(self) -> None:
        rig = self.waiting()
        assert change(rig, 0, "Operative") == "Accepted"
        rig.card(evse_id=2)
        assert shown(rig)[2] == "Finishing"

    def test_of_all_is_scheduled(self) -> None:
        rig = self.waiting()
        assert change(rig, 0, "Inoperative") == "Scheduled"
        assert shown(rig) == {0: "Unavailable", 1: "Unavailable", 2: "Charging"}


@pytest.mark.parametrize("connector_id", [-1, 3, 10**12])
@pytest.mark.parametrize("kind", ["Operative", "Inoperative"])
def test_of_what_does_not_exist_is_rejected_and_changes_nothing(connector_id: int, kind: str) -> None:
    rig = Rig(socket(1), socket(2))
    before = shown(rig)
    assert change(rig, connector_id, kind) == "Rejected"
    assert shown(rig) == before
    assert not rig.of(SaveAvailability)
