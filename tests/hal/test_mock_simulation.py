"""The simulated car and meter."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hal import CableSignal, DeviceUnavailable, FaultCode, PilotSignal, PilotState, TokenSignal
from hal.drivers.mock import MockStation
from hal.drivers.mock.errors import MockError


class Clock:
    """Monotonic seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def pilot(hw: MockStation) -> PilotState:
    return hw.evses[1].pilot


async def charge(hw: MockStation, current_a: float = 16.0, **car: Any) -> None:
    await hw.plug_in(1, ready_after=0, **car)
    await hw.board.evses[1].set_offered_current(current_a)
    async with asyncio.timeout(2):
        while pilot(hw) is not PilotState.C:  # noqa: ASYNC110 - the car has no event to wait for
            await asyncio.sleep(0.001)
    await hw.board.evses[1].close_contactor()


class TestMeter:
    async def test_energy_is_power_times_time(self) -> None:
        clock = Clock()
        async with MockStation(monotonic=clock) as hw:
            await charge(hw)
            clock.now_s += 3600
            assert (await hw.board.evses[1].read_meter()).energy_import_wh == pytest.approx(3 * 230 * 16)
            await hw.pause(1)
            await asyncio.sleep(0.01)
            clock.now_s += 3600
            reading = await hw.board.evses[1].read_meter()
            assert reading.energy_import_wh == pytest.approx(3 * 230 * 16)
            assert (reading.power_import_w, reading.current_a) == (0.0, (0.0, 0.0, 0.0))

    @pytest.mark.parametrize(
        ("offered_a", "car_a", "cable_a", "car_phases", "drawn_a", "phases"),
        [(16, 32, 32, 3, 16, 3), (32, 10, 32, 3, 10, 3), (32, 32, 20, 3, 20, 3), (16, 32, 32, 1, 16, 1)],
    )
    async def test_the_car_draws_what_offer_cable_and_car_allow(
        self, offered_a: float, car_a: float, cable_a: float, car_phases: int, drawn_a: float, phases: int
    ) -> None:
        async with MockStation(connectors=("sType2",), options={"cable_rating": cable_a}) as hw:
            await charge(hw, offered_a, current=car_a, phases=car_phases)
            reading = await hw.board.evses[1].read_meter()
            assert reading.current_a == (drawn_a,) * phases + (0.0,) * (3 - phases)
            assert reading.power_import_w == pytest.approx(phases * 230 * drawn_a)
            assert reading.power_import_w == pytest.approx(sum(reading.power_phase_w))

    async def test_overrides_change_what_is_read_until_they_end(self) -> None:
        async with MockStation() as hw:
            await hw.set_meter(1, energy=12345.0, power=7000, voltage=229, current=10, soc=80)
            reading = await hw.board.evses[1].read_meter()
            assert reading.energy_import_wh == 12345.0
            assert (reading.power_import_w, reading.voltage_v, reading.current_a) == (7000, (229,) * 3, (10,) * 3)
            assert reading.soc_percent == 80
            await hw.set_meter(1, power=None, soc=None)
            reading = await hw.board.evses[1].read_meter()
            assert (reading.power_import_w, reading.soc_percent) == (0, None)
            assert (reading.energy_import_wh, reading.voltage_v) == (12345.0, (229,) * 3)

    async def test_the_register_outlives_the_station(self, tmp_path: Path) -> None:
        async with MockStation(evses=2, state_dir=tmp_path) as hw:
            await hw.set_meter(2, energy=5000.5)
            await hw.plug_in(1)
        async with MockStation(evses=2, state_dir=tmp_path) as hw:
            assert (await hw.board.evses[2].read_meter()).energy_import_wh == 5000.5
            assert pilot(hw) is PilotState.A

    async def test_a_damaged_register_file_does_not_stop_the_station(self, tmp_path: Path) -> None:
        (tmp_path / "mock-registers.txt").write_bytes(b"\x00\xffgarbage\n")
        async with MockStation(state_dir=tmp_path) as hw:
            await hw.set_meter(1, energy=7)
        async with MockStation(state_dir=tmp_path) as hw:
            assert (await hw.board.evses[1].read_meter()).energy_import_wh == 7

    async def test_a_state_directory_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        async with MockStation(state_dir=tmp_path / "nowhere") as hw:
            with pytest.raises(DeviceUnavailable, match="nowhere"):
                await hw.board.evses[1].read_meter()

    async def test_nothing_is_written_and_nothing_ticks_while_no_energy_flows(self, tmp_path: Path) -> None:
        async with MockStation(state_dir=tmp_path) as hw:
            await hw.plug_in(1, ready_after=None)
            before = (tmp_path / "mock-registers.txt").stat().st_mtime_ns
            await hw.pause(1)
            await hw.swipe("04AA")
            assert hw._saving is None
            assert (tmp_path / "mock-registers.txt").stat().st_mtime_ns == before


class TestCar:
    async def test_it_waits_after_the_offer_before_it_asks(self) -> None:
        async with MockStation() as hw:
            await hw.plug_in(1, ready_after=0.05)
            await asyncio.sleep(0.06)
            assert pilot(hw) is PilotState.B  # nothing is offered yet
            await hw.board.evses[1].set_offered_current(6)
            assert pilot(hw) is PilotState.B
            await asyncio.sleep(0.06)
            assert pilot(hw) is PilotState.C

    async def test_without_ready_after_it_stays_in_b_until_resume(self) -> None:
        async with MockStation() as hw:
            await hw.plug_in(1, ready_after=None)
            await hw.board.evses[1].set_offered_current(16)
            await asyncio.sleep(0.01)
            assert pilot(hw) is PilotState.B
            await hw.resume(1)
            assert pilot(hw) is PilotState.C

    async def test_pause_and_resume(self) -> None:
        async with MockStation() as hw:
            await charge(hw)
            await hw.pause(1)
            await hw.resume(1)
            states = [signal.state for signal in hw.signals if isinstance(signal, PilotSignal)]
            assert states == [PilotState.B, PilotState.C, PilotState.B, PilotState.C]

    async def test_an_offer_that_ends_and_returns(self) -> None:
        async with MockStation() as hw:
            await charge(hw)
            await hw.board.evses[1].set_offered_current(0)
            assert pilot(hw) is PilotState.B
            await hw.board.evses[1].set_offered_current(16)
            await asyncio.sleep(0.01)
            assert pilot(hw) is PilotState.C


class TestCable:
    async def test_a_fixed_cable_is_connected_only_while_it_is_in_a_car(self) -> None:
        async with MockStation(connectors=("cType2",)) as hw:
            present = [hw.evses[1].cable_present]
            await hw.plug_in(1)
            present.append(hw.evses[1].cable_present)
            await hw.plug_out(1, side="car")
            present.append(hw.evses[1].cable_present)
            assert present == [False, True, False]
            assert not [signal for signal in hw.signals if isinstance(signal, CableSignal)]

    async def test_pulled_out_of_the_car_alone_it_stays_in_the_socket(self) -> None:
        async with MockStation(connectors=("sType2",)) as hw:
            await hw.plug_in(1)
            await hw.plug_out(1, side="car")
            assert (hw.evses[1].pilot, hw.evses[1].cable_present) == (PilotState.A, True)
            await hw.plug_out(1)
            assert [signal.present for signal in hw.signals if isinstance(signal, CableSignal)] == [True, False]

    async def test_a_second_connector_of_the_evse_waits_for_the_first(self) -> None:
        async with MockStation(connectors=("cType2", "sType2")) as hw:
            await hw.plug_in(1, connector=2)
            assert PilotSignal(1, PilotState.B, 2) in hw.signals
            with pytest.raises(MockError, match="connector 2 of EVSE 1 is in use"):
                await hw.plug_in(1, connector=1)


async def test_a_card_for_one_evse_says_so() -> None:
    async with MockStation(evses=2) as hw:
        await hw.swipe("04AA", evse=2)
        await hw.swipe("abc", type="Central")
        assert hw.signals[-2:] == [TokenSignal("04AA", "ISO14443", 2), TokenSignal("abc", "Central", None)]


async def test_a_request_that_changes_nothing_is_harmless() -> None:
    async with MockStation() as hw:
        before = len(hw.signals)
        await hw.plug_out(1)
        await hw.pause(1)
        await hw.resume(1)
        await hw.clear_fault(1, FaultCode.GROUND_FAILURE)
        await hw.fail("meter", 1, None)
        await hw.weld(1, False)
        await hw.emergency_stop(False)
        assert len(hw.signals) == before


async def test_the_installers_next_outcome_is_kept() -> None:
    async with MockStation() as hw:
        assert hw.firmware_outcome == "ok"
        await hw.firmware("boot_failure")
        assert hw.firmware_outcome == "boot_failure"
