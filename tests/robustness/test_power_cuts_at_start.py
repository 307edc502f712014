"""The power is cut again while the station recovers from a power cut, once and twice in a row."""

from __future__ import annotations

import pytest

from .power_cut import Cut, judge_interrupted, named, run_into, serve_the_next, steps_of
from .rig import PATIENCE_S, Rig, at_most, rig

PARTS = 4
LEAST_CUTS = 30


async def power_goes_in_an_offline_session(bench: Rig) -> None:
    """What the CSMS knows ends with the first meter value; more of them wait in the queue."""
    await bench.agent.start()
    await bench.expect("StatusNotification", connectorId=1, status="Available")
    await bench.plug_and_swipe()
    await bench.expect("MeterValues")
    bench.network.unplug()
    await bench.agent.wait_for_status(lambda status: status["queue"]["rows"] >= 2, PATIENCE_S)
    await bench.agent.kill()
    bench.network.cut()
    bench.network.plug()


async def recover_twice(cut: Cut, reached: list[Cut]) -> None:
    """Cut the power there in two recoveries in a row: the session before has ended once."""
    async with rig() as bench:
        with named(bench, cut):
            await power_goes_in_an_offline_session(bench)
            for number in range(2):
                record = await run_into(bench, cut, Rig.settled, bench.directory / f"record-{number}")
                if record.died:
                    reached.append(cut)
            register_wh = await serve_the_next(bench)
            interrupted, last = bench.transactions
            assert last.start.energy_wh == int(register_wh)
            judge_interrupted(interrupted, register_wh, ended=False)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("part", range(PARTS))
async def test_an_interrupted_session_ends_once_wherever_its_recovery_is_cut(part: int) -> None:
    cuts = (await steps_of(Rig.settled, power_goes_in_an_offline_session)).cuts()
    assert len(cuts) >= LEAST_CUTS
    reached: list[Cut] = []
    failures = await at_most(10, *(recover_twice(cut, reached) for cut in cuts[part::PARTS]))
    assert not failures, f"{len(failures)} of {len(cuts)} cuts:\n\n" + "\n\n".join(failures[:3])
    assert len(set(reached)) > 0.7 * len(cuts[part::PARTS]), sorted(set(cuts) - set(reached))
