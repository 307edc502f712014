"""The power is cut at every step of a session that leaves a trace: each is billed once, to the last known watt-hour."""

from __future__ import annotations

import pytest

from .power_cut import Cut, Life, steps_of, survive
from .rig import Rig, at_most

PARTS = 4
LEAST_CUTS = 45
SESSIONS = {"online": Rig.online_session, "offline": Rig.offline_session}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("session", SESSIONS.values(), ids=SESSIONS.keys())
async def test_each_session_is_billed_once_wherever_the_power_is_cut(session: Life, part: int) -> None:
    """1.6 §3.7 and §7.36: no transaction is lost or told twice, and one that was interrupted ends with PowerLoss."""
    cuts = (await steps_of(session)).cuts()
    assert len(cuts) >= LEAST_CUTS
    reached: list[Cut] = []
    failures = await at_most(10, *(survive(cut, session, reached) for cut in cuts[part::PARTS]))
    assert not failures, f"{len(failures)} of {len(cuts)} cuts:\n\n" + "\n\n".join(failures[:3])
    # Steps that two threads take can come in another order, or together.
    assert len(reached) > 0.7 * len(cuts[part::PARTS]), sorted(set(cuts) - set(reached))
