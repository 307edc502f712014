"""The contract of `ConnectorLock`."""

from __future__ import annotations

from typing import cast

import pytest

from hal import ConnectorLock, HalError, Role

from .rigs import Rig
from .suite import opened

pytestmark = pytest.mark.role(Role.LOCK)


@pytest.fixture
async def lock(rig: Rig) -> ConnectorLock:
    return cast(ConnectorLock, await opened(rig, Role.LOCK))


async def test_it_is_locked_when_lock_returns(lock: ConnectorLock) -> None:
    await lock.lock()
    await lock.lock()
    assert await lock.is_locked()


async def test_it_is_unlocked_when_unlock_returns(lock: ConnectorLock) -> None:
    await lock.lock()
    await lock.unlock()
    await lock.unlock()
    assert not await lock.is_locked()


async def test_a_silent_lock_raises_and_stays_as_it_was(rig: Rig, lock: ConnectorLock) -> None:
    await lock.lock()
    await rig.silence(Role.LOCK)
    for order in (lock.lock, lock.unlock, lock.is_locked):
        with pytest.raises(HalError):
            await order()
    await rig.restore(Role.LOCK)
    assert await lock.is_locked()
