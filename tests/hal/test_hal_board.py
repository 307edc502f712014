"""The board: opened in order, closed in reverse, wrong configurations named."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from hal import (
    Board,
    BoardConfigError,
    BoardSpec,
    ContactorSignal,
    EmergencyStopSignal,
    EvseSpec,
    HalError,
    Interlocked,
    PartSpec,
    PilotSignal,
    PilotState,
    Signal,
    TokenSignal,
)
from hal.drivers.mock import MockStation, parts
from hal.interfaces.part import EVSE_ROLES, STATION_ROLES


def spec(state_dir: Path, *evses: EvseSpec, **others: Any) -> BoardSpec:
    hal_options = {"mock": {"control": ""}}
    return BoardSpec(evses, state_dir=state_dir, hal_options=hal_options)._replace(**others)


def evse(**changes: Any) -> EvseSpec:
    return EvseSpec(1, ("sType2",), 32.0, 3, "mock")._replace(**changes)


async def charge(hw: MockStation, evse_id: int) -> None:
    hardware = hw.board.evses[evse_id]
    await hw.plug_in(evse_id, ready_after=0)
    await hardware.set_offered_current(16)
    async with asyncio.timeout(2):
        while hardware.state().pilot is not PilotState.C:  # noqa: ASYNC110 - the car has no event to wait for
            await asyncio.sleep(0.001)
    await hardware.close_contactor()
    assert hw.evses[evse_id].contacts_closed


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which parts are opened and closed, in order."""
    calls: list[str] = []
    opening, closing = parts._MockPart.open, parts._MockPart.close

    async def record_open(part: parts._MockPart) -> None:
        calls.append(f"open {part.role}")
        await opening(part)

    async def record_close(part: parts._MockPart) -> None:
        calls.append(f"close {part.role}")
        await closing(part)

    monkeypatch.setattr(parts._MockPart, "open", record_open)
    monkeypatch.setattr(parts._MockPart, "close", record_close)
    return calls


async def test_parts_are_opened_in_order_and_closed_in_reverse(tmp_path: Path, calls: list[str]) -> None:
    board = await Board.open(spec(tmp_path, evse()), lambda _: None)
    opened = [call.removeprefix("open ") for call in calls]
    of_evse = [role for role in opened if role in EVSE_ROLES]
    of_station = [role for role in opened if role in STATION_ROLES]
    assert of_evse == ["contactor", "pilot", "lock", "meter", "residual_current", "temperature", "indicator"]
    assert sorted(of_station) == ["display", "emergency_stop", "reader", "tamper", "watchdog"]
    calls.clear()
    await board.close()
    closed = [call.removeprefix("close ") for call in calls]
    assert [role for role in closed if role in EVSE_ROLES] == of_evse[::-1]
    assert sorted(role for role in closed if role in STATION_ROLES) == sorted(of_station)
    await board.close()
    assert len(calls) == len(opened)


async def test_closing_opens_every_contactor_before_any_part_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    async def look(_: parts._MockPart) -> None:
        seen.extend(evse.contacts_closed for evse in hw.evses.values())

    async with MockStation(evses=2) as hw:
        for evse_id in hw.board.evses:
            await charge(hw, evse_id)
        monkeypatch.setattr(parts._MockPart, "close", look)
    assert seen
    assert not any(seen)
    assert all(evse.offered_current_a == 0 for evse in hw.evses.values())


async def test_a_contactor_that_does_not_open_at_the_end_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with MockStation() as hw:
        await charge(hw, 1)
        await hw.weld(1, True)
    assert any(record.levelno == logging.CRITICAL and "EVSE 1" in record.message for record in caplog.records)


async def test_a_closed_board_refuses_to_close_a_contactor() -> None:
    async with MockStation() as hw:
        await charge(hw, 1)
    with pytest.raises(HalError, match="not in operation"):
        await hw.board.evses[1].close_contactor()


async def test_what_was_so_before_is_told_right_after_opening(tmp_path: Path) -> None:
    signals: list[Signal] = []
    hw = MockStation(state_dir=tmp_path)
    Board(spec(tmp_path, evse()), signals.append, {"mock": hw})  # the simulated EVSE exists from here on
    await hw.plug_in(1)
    await hw.emergency_stop(True)
    board = await Board.open(spec(tmp_path, evse()), signals.append, {"mock": hw})
    assert signals == []  # not before the caller has the board
    await asyncio.sleep(0)
    assert {PilotSignal(1, PilotState.B), EmergencyStopSignal(True), ContactorSignal(1, False)} <= set(signals)
    await board.close()


async def test_a_configured_reader_takes_the_place_of_the_drivers_own(tmp_path: Path) -> None:
    signals: list[Signal] = []
    hw = MockStation(state_dir=tmp_path)
    board = await Board.open(spec(tmp_path, evse(), readers=(PartSpec("mock"),)), signals.append, {"mock": hw})
    await asyncio.sleep(0)
    await hw.swipe("04AA")
    assert signals.count(TokenSignal("04AA")) == 1
    await board.close()


@pytest.mark.parametrize("ventilation", [True, False])
async def test_a_car_that_needs_ventilation_charges_only_where_there_is_some(tmp_path: Path, ventilation: bool) -> None:
    hw = MockStation(state_dir=tmp_path)
    board = await Board.open(spec(tmp_path, evse(ventilation=ventilation)), lambda _: None, {"mock": hw})
    board.evses[1].receive(PilotSignal(1, PilotState.D))
    if ventilation:
        await board.evses[1].close_contactor()
    else:
        with pytest.raises(Interlocked, match="state D"):
            await board.evses[1].close_contactor()
    await board.close()


async def test_an_evse_can_be_put_together_from_parts(tmp_path: Path) -> None:
    built = evse(driver=None, parts={role: PartSpec("mock") for role in ("contactor", "pilot", "meter", "lock")})
    board = await Board.open(spec(tmp_path, built), lambda _: None)
    assert board.evses[1].has_lock
    assert "Voltage" in board.evses[1].measurands
    await board.close()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (evse(driver="mok"), "evse 1: no driver 'mok'; did you mean 'mock'?"),
        (evse(driver=None), "evse 1: no contactor; name its driver under [evse.contactor]"),
        (evse(parts={"metre": PartSpec("mock")}), "evse 1: no part 'metre'; did you mean 'meter'?"),
        (evse(parts={"meter": PartSpec("mokc")}), "evse 1, meter: no driver 'mokc'; did you mean 'mock'?"),
        (evse(options={"volts": 1}), "unknown option 'volts'"),
        (evse(options={"voltag": 1}), "did you mean 'voltage'?"),
        (evse(options={"voltage": "230"}), "option 'voltage' takes a number, not '230'"),
        (evse(options={"voltage": True}), "option 'voltage' takes a number, not True"),
        (evse(options={"voltage": -230.0}), "option 'voltage' is above 0"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, wrong: EvseSpec, said: str) -> None:
    with pytest.raises(BoardConfigError) as error:
        Board(spec(tmp_path, wrong), lambda _: None)
    assert said in str(error.value)


def test_an_unknown_option_of_the_mock_itself_is_named(tmp_path: Path) -> None:
    with pytest.raises(BoardConfigError, match=r"\[hal.mock\]: unknown option 'contrl'; did you mean 'control'"):
        Board(spec(tmp_path, evse(), hal_options={"mock": {"contrl": "x"}}), lambda _: None)
