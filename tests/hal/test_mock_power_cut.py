"""The energy registers when the process is killed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from hal.drivers.mock import MockStation
from hal.drivers.mock.socket_path import connect

PROGRAM = """
import asyncio, sys
from pathlib import Path
from hal import PilotState
from hal.drivers.mock import MockStation

async def main(state_dir):
    async with MockStation(state_dir=state_dir, control=state_dir / "mock.sock") as hw:
        evse = hw.board.evses[1]
        await hw.set_meter(1, energy=1000.0)
        await hw.plug_in(1, ready_after=0)
        await evse.set_offered_current(32)
        while evse.state().pilot is not PilotState.C:
            await asyncio.sleep(0.01)
        await evse.close_contactor()
        print("charging", flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print((await evse.read_meter()).energy_import_wh, flush=True)

asyncio.run(main(Path(sys.argv[1])))
"""


async def run(state_dir: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, state_dir, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def ask(path: Path) -> dict[str, Any]:
    with connect(path) as connection, connection.makefile("rwb") as stream:
        stream.write(b'{"op": "state"}\n')
        stream.flush()
        answer: dict[str, Any] = json.loads(stream.readline())
        return answer


async def test_a_killed_process_loses_at_most_a_second_of_energy(tmp_path: Path) -> None:
    process = await run(tmp_path)
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"charging\n"
        await asyncio.sleep(1.3)  # long enough for a write to be due, and one after it
        last = ask(tmp_path / "mock.sock")["evses"][0]
    finally:
        process.kill()
        await process.communicate()
    assert last["energy"] > 1000
    lost_in_a_second_wh = last["power"] / 3600
    async with MockStation(state_dir=tmp_path, control=tmp_path / "mock.sock") as hw:
        kept_wh = (await hw.board.evses[1].read_meter()).energy_import_wh
        assert last["energy"] - lost_in_a_second_wh <= kept_wh <= last["energy"] + lost_in_a_second_wh
        state = (await hw.state())["evses"]
        assert isinstance(state, list)
        shown = [state[0][name] for name in ("cable", "pilot", "contactor", "faults")]
        assert shown == ["none", "A", "open", []]


async def test_a_reading_is_not_taken_back(tmp_path: Path) -> None:
    process = await run(tmp_path)
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        assert await process.stdout.readline() == b"charging\n"
        await asyncio.sleep(0.2)  # some energy, and no write due
        process.stdin.write(b"\n")
        read_wh = float(await process.stdout.readline())
    finally:
        process.kill()
        await process.communicate()
    assert read_wh > 1000
    async with MockStation(state_dir=tmp_path) as hw:
        assert (await hw.board.evses[1].read_meter()).energy_import_wh >= round(read_wh, 3)
