"""The mock hardware in a test, without the agent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from hal.board import Board
from hal.drivers.mock.driver import NAME
from hal.drivers.mock.hardware import MockHardware
from hal.signals import Signal
from hal.spec import BoardSpec, EvseSpec, Options, Timing

MAX_CURRENT_A = 32.0


class MockStation(MockHardware):
    """A whole board on the mock. Its operations are those of the control socket.

        async with MockStation(evses=2) as hw:
            await hw.plug_in(1)
            assert hw.board.evses[1].state().pilot is PilotState.B

    connectors: of each EVSE. state_dir: where the energy registers are kept; None: a directory that goes with it.
    control: the path of a control socket, if one is wanted. signals: all that the board has delivered so far.
    """

    board: Board

    def __init__(
        self,
        evses: int = 1,
        connectors: tuple[str, ...] = ("cType2",),
        phases: int = 3,
        *,
        options: Options | None = None,
        state_dir: Path | None = None,
        control: Path | None = None,
        timing: Timing | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = None
        if state_dir is None:
            from tempfile import TemporaryDirectory  # noqa: PLC0415 - only where a test needs one

            self._directory = TemporaryDirectory()
            state_dir = Path(self._directory.name)
        super().__init__(monotonic, state_dir, control)
        self.signals: list[Signal] = []
        self._spec = BoardSpec(
            tuple(
                EvseSpec(evse_id, connectors, MAX_CURRENT_A, phases, NAME, options or {})
                for evse_id in range(1, evses + 1)
            ),
            state_dir=state_dir,
            timing=timing or Timing(probe_interval_s=0.05),
        )

    async def __aenter__(self) -> MockStation:
        try:
            self.board = await Board.open(self._spec, self.signals.append, {NAME: self})
        except BaseException:
            self._clean_up()
            raise
        await asyncio.sleep(0)  # what the board had to tell on opening arrives now
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.board.close()
        self._clean_up()

    def _clean_up(self) -> None:
        if self._directory is not None:
            self._directory.cleanup()
