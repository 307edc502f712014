"""The contract of `Contactor`."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import cast

import pytest

from hal import Contactor, ContactorSignal, DeviceResponse, HalError, Role

from .rigs import EVSE_ID, Rig
from .suite import eventually, opened

pytestmark = pytest.mark.role(Role.CONTACTOR)


@pytest.fixture
async def contactor(rig: Rig) -> Contactor:
    return cast(Contactor, await opened(rig, Role.CONTACTOR))


async def test_it_is_closed_when_close_contacts_returns(contactor: Contactor) -> None:
    await contactor.close_contacts()
    assert await contactor.is_closed()


async def test_it_is_open_when_open_contacts_returns(contactor: Contactor) -> None:
    await contactor.close_contacts()
    await contactor.open_contacts()
    assert not await contactor.is_closed()


async def test_orders_may_be_repeated(contactor: Contactor) -> None:
    for _ in range(2):
        await contactor.close_contacts()
    for _ in range(2):
        await contactor.open_contacts()
    assert not await contactor.is_closed()


async def test_changes_of_the_feedback_are_reported_in_order_and_once(rig: Rig, contactor: Contactor) -> None:
    await contactor.close_contacts()
    await contactor.close_contacts()
    await contactor.open_contacts()
    assert rig.signals == [ContactorSignal(EVSE_ID, True), ContactorSignal(EVSE_ID, False)]


async def test_welded_contacts_make_opening_fail(rig: Rig, contactor: Contactor) -> None:
    await contactor.close_contacts()
    await rig.weld()
    with pytest.raises(DeviceResponse):
        await contactor.open_contacts()
    assert await contactor.is_closed()


@pytest.mark.parametrize("later_s", [0.0, 0.001, 0.004])
async def test_an_order_to_open_wins_over_one_to_close_that_runs(contactor: Contactor, later_s: float) -> None:
    closing = asyncio.create_task(contactor.close_contacts())
    await asyncio.sleep(later_s)
    await contactor.open_contacts()
    assert not await contactor.is_closed()
    with suppress(HalError):  # or it was done before
        await closing
    assert not await contactor.is_closed()


async def test_an_order_to_close_that_is_given_up_leaves_nothing_behind(contactor: Contactor) -> None:
    closing = asyncio.create_task(contactor.close_contacts())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait({closing})
    await contactor.open_contacts()
    await asyncio.sleep(0.02)
    assert not await contactor.is_closed()


async def test_contacts_that_open_by_themselves_are_reported(rig: Rig, contactor: Contactor) -> None:
    await contactor.close_contacts()
    await rig.drop()
    await eventually(lambda: rig.signals == [ContactorSignal(EVSE_ID, True), ContactorSignal(EVSE_ID, False)])
    assert not await contactor.is_closed()


async def test_a_silent_device_raises_and_obeys_again_afterwards(rig: Rig, contactor: Contactor) -> None:
    await contactor.close_contacts()
    await rig.silence(Role.CONTACTOR)
    with pytest.raises(HalError):
        await contactor.open_contacts()
    with pytest.raises(HalError):
        await contactor.is_closed()
    await rig.restore(Role.CONTACTOR)
    await contactor.open_contacts()
    assert not await contactor.is_closed()
