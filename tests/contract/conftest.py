from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .rigs import RIGS, Rig


@pytest.fixture(params=list(RIGS.values()), ids=list(RIGS))
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    rig: Rig = request.param(tmp_path)
    await rig.open()
    yield rig
    await rig.close()
