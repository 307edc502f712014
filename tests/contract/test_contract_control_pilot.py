"""The contract of `ControlPilot` (states of IEC 61851-1)."""

from __future__ import annotations

from typing import cast

import pytest

from hal import CableSignal, ControlPilot, FaultCode, FaultSignal, HalError, PilotSignal, PilotState, Role

from .rigs import EVSE_ID, Rig
from .suite import eventually, opened

pytestmark = pytest.mark.role(Role.PILOT)


@pytest.fixture
async def pilot(rig: Rig) -> ControlPilot:
    return cast(ControlPilot, await opened(rig, Role.PILOT))


def states(rig: Rig) -> list[PilotState]:
    return [signal.state for signal in rig.signals if isinstance(signal, PilotSignal)]


async def test_without_a_car_it_is_in_state_a(pilot: ControlPilot) -> None:
    reading = await pilot.read()
    assert (reading.state, reading.cable_present, reading.cable_rating_a) == (PilotState.A, False, None)


async def test_a_car_brings_state_b_and_a_cable_with_its_rating(rig: Rig, pilot: ControlPilot) -> None:
    await rig.plug_in()
    await eventually(lambda: states(rig) == [PilotState.B])
    reading = await pilot.read()
    assert (reading.state, reading.connector_id, reading.cable_present) == (PilotState.B, 1, True)
    assert reading.cable_rating_a is not None
    assert reading.cable_rating_a >= 6
    assert CableSignal(EVSE_ID, 1, True, reading.cable_rating_a) in rig.signals


async def test_the_car_asks_only_once_it_is_offered_something(rig: Rig, pilot: ControlPilot) -> None:
    await rig.plug_in()
    await pilot.set_offered_current(6.0)
    await eventually(lambda: states(rig) == [PilotState.B, PilotState.C])
    await pilot.set_offered_current(0.0)
    await eventually(lambda: states(rig)[-1] is PilotState.B)


async def test_a_car_that_leaves_is_reported(rig: Rig, pilot: ControlPilot) -> None:
    await rig.plug_in()
    await rig.pull_out()
    await eventually(lambda: states(rig) == [PilotState.B, PilotState.A])
    assert not (await pilot.read()).cable_present


async def test_a_lost_pilot_is_a_fault_and_its_return_tells_the_state_first(rig: Rig, pilot: ControlPilot) -> None:
    await rig.silence(Role.PILOT)
    await eventually(lambda: bool(rig.signals))
    lost = rig.signals[-1]
    assert isinstance(lost, FaultSignal)
    assert lost[:4] == (EVSE_ID, FaultCode.INTERNAL_ERROR, True, "PilotLost")
    with pytest.raises(HalError):
        await pilot.read()
    await rig.plug_in()
    rig.signals.clear()
    await rig.restore(Role.PILOT)
    await eventually(lambda: any(isinstance(signal, FaultSignal) for signal in rig.signals))
    state, back = rig.signals[-2:]
    assert state == PilotSignal(EVSE_ID, PilotState.B)
    assert back[:4] == (EVSE_ID, FaultCode.INTERNAL_ERROR, False, "PilotLost")
