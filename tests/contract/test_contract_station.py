"""The contracts of the station's roles: reader, stop button, tamper switch, display, watchdog."""

from __future__ import annotations

from typing import cast

import pytest

from hal import (
    Display,
    EmergencyStop,
    EmergencyStopSignal,
    FaultCode,
    FaultSignal,
    Role,
    Tamper,
    TamperSignal,
    TokenSignal,
    Watchdog,
)

from .rigs import Rig
from .suite import eventually, opened


@pytest.mark.role(Role.READER)
class TestIdTokenReader:
    async def test_each_presentation_of_a_card_is_one_token(self, rig: Rig) -> None:
        await opened(rig, Role.READER)
        await rig.present_card("04A1B2C3")
        await rig.present_card("04A1B2C3")
        await eventually(lambda: len(rig.signals) == 2)
        assert rig.signals == [TokenSignal("04A1B2C3", "ISO14443", None)] * 2

    async def test_a_reader_that_stops_working_is_reported_and_so_is_its_return(self, rig: Rig) -> None:
        await opened(rig, Role.READER)
        await rig.silence(Role.READER)
        await rig.present_card("04A1B2C3")
        await rig.restore(Role.READER)
        await eventually(lambda: len(rig.signals) == 2)
        assert [signal[:4] for signal in rig.signals if isinstance(signal, FaultSignal)] == [
            (0, FaultCode.READER_FAILURE, True, "ReaderLost"),
            (0, FaultCode.READER_FAILURE, False, "ReaderLost"),
        ]


@pytest.mark.role(Role.EMERGENCY_STOP)
class TestEmergencyStop:
    async def test_pressing_and_releasing_are_reported_and_can_be_read(self, rig: Rig) -> None:
        button = cast(EmergencyStop, await opened(rig, Role.EMERGENCY_STOP))
        assert not await button.is_pressed()
        await rig.press_stop(True)
        assert await button.is_pressed()
        await rig.press_stop(False)
        await eventually(lambda: rig.signals == [EmergencyStopSignal(True), EmergencyStopSignal(False)])


@pytest.mark.role(Role.TAMPER)
class TestTamper:
    async def test_opening_and_closing_are_reported_and_can_be_read(self, rig: Rig) -> None:
        switch = cast(Tamper, await opened(rig, Role.TAMPER))
        assert not await switch.is_open()
        await rig.open_enclosure(True)
        assert await switch.is_open()
        await rig.open_enclosure(False)
        await eventually(lambda: rig.signals == [TamperSignal(True), TamperSignal(False)])


@pytest.mark.role(Role.DISPLAY)
class TestDisplay:
    async def test_it_takes_no_lines_one_and_too_many(self, rig: Rig) -> None:
        display = cast(Display, await opened(rig, Role.DISPLAY))
        for lines in ((), ("Welcome",), ("a very long line " * 20,) * 50):
            await display.show(lines)


@pytest.mark.role(Role.WATCHDOG)
class TestWatchdog:
    async def test_it_says_how_long_it_waits_and_takes_kicks(self, rig: Rig) -> None:
        watchdog = cast(Watchdog, await opened(rig, Role.WATCHDOG))
        assert watchdog.timeout_s > 0
        await watchdog.kick()
