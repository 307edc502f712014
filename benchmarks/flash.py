"""What one hour of charging writes to the flash, with meter values every 60 s.

The whole agent on its real store, its clocks running faster. The kernel's own write-back, which would find nothing to
do in the short time that really passes, is made up for: what is dirty is flushed every 30 s of the station's time, as
the kernel does (vm.dirty_expire_centisecs). What counts is /proc/PID/io write_bytes: pages, not bytes; the file
system's own bookkeeping comes on top. The mock's energy register is kept in memory: in a charger it is the meter's.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

import fast_clock
from central import Central
from subject import HERE, Station, Subject
from table import Row, fact_row, limit_row

from agent.bench.mock_client import MockClient
from hal.drivers.mock.hardware import REGISTER_FILE

BUDGET_MB = 1.0
SESSION_S = 3600.0
INTERVAL_S = 60
WRITE_BACK_S = 30.0
SETTLE_S = 1.0
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the name in it is a temporary file's


async def measure(directory: Path, factor: float) -> list[Row]:
    """factor: so many times as fast as in life."""
    base = (factor, time.monotonic(), time.time())
    async with Central() as central:
        central.clock = fast_clock.clock(*base)
        keys: dict[str, object] = {"MeterValueSampleInterval": INTERVAL_S}
        station = Station(directory / "flash", central.url, "flash", keys=keys)
        station.log = Path(os.devnull)  # the journal of the system is not the agent's
        station.state_dir.mkdir(mode=0o700)
        with NamedTemporaryFile(dir=SHARED_MEMORY) as register:
            (station.state_dir / REGISTER_FILE).symlink_to(register.name)
            async with station.agent(str(HERE / "fast_clock.py"), *map(str, base)) as agent:
                await central.booted(station.identity)
                written_bytes, values = await _session(central, station, agent, factor)
                sizes_bytes = sum(path.stat().st_size for path in station.state_dir.glob("station.db*"))
    if written_bytes == 0:
        raise RuntimeError(f"{directory} is in memory: set TMPDIR to a directory on a disk")
    what = f"flash written in a 1 h session, {values} meter values"
    return [
        limit_row(what, "MB", written_bytes / 1e6, BUDGET_MB),
        fact_row("the store's files after it", "MB", sizes_bytes / 1e6),
    ]


async def _session(central: Central, station: Station, agent: Subject, factor: float) -> tuple[int, int]:
    """The bytes written, and the number of meter values that the CSMS has got."""
    actions: list[str] = []
    central.watch(station.identity, lambda action, _payload: actions.append(action))
    mock = MockClient(station.control)
    await _flushed(station, SETTLE_S, SETTLE_S)
    before_bytes = agent.written_bytes
    await mock.op("plug_in", ready_after=0)
    await mock.op("swipe", token="BENCH")  # noqa: S106 - a card
    await mock.wait_until(lambda evse: evse["contactor"] == "closed")
    await _flushed(station, SESSION_S / factor, WRITE_BACK_S / factor)
    await mock.op("swipe", token="BENCH")  # noqa: S106 - a card
    await mock.wait_until(lambda evse: evse["contactor"] == "open")
    await mock.op("plug_out")
    await _flushed(station, SETTLE_S, WRITE_BACK_S / factor)
    if "StopTransaction" not in actions:
        raise RuntimeError(f"no whole session: {actions}")
    return agent.written_bytes - before_bytes, actions.count("MeterValues")


async def _flushed(station: Station, duration_s: float, every_s: float) -> None:
    """Let time pass, with write-backs."""
    end_s = time.monotonic() + duration_s
    while time.monotonic() < end_s:
        await asyncio.sleep(min(every_s, max(0.0, end_s - time.monotonic())))
        await asyncio.to_thread(_write_back, station.state_dir)


def _write_back(directory: Path) -> None:
    for path in directory.iterdir():
        if path.is_symlink() or not path.is_file():
            continue
        with suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
