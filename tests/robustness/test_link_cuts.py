"""The link to the CSMS fails at every message of a session, loudly and silently: the bill is as if it had not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import product

import pytest
from websockets.exceptions import ConnectionClosed

from agent.bench.answers import CallError
from agent.bench.network import Direction

from .rig import FIRST_WH, PATIENCE_S, Rig, at_most, judge, rig

PARTS = 4
LEAST_MESSAGES = 20
# A silent link is found out by the missing pong, 2 s after the last one.
KEYS = {"WebSocketPingInterval": 1}


async def session(bench: Rig) -> None:
    """From the start of the agent to a car that has left: with calls of both sides, each as often as it takes."""
    await bench.agent.start()
    await bench.expect("StatusNotification", connectorId=1, status="Available")
    await bench.plug_and_swipe()
    await bench.expect("MeterValues")
    await _stop_remotely(bench)
    await bench.agent.mock.wait_until(lambda evse: evse["contactor"] == "open", timeout_s=PATIENCE_S)
    await bench.agent.mock.op("plug_out")
    await bench.expect("StopTransaction")
    await bench.expect("StatusNotification", connectorId=1, status="Available")
    await bench.settled()


async def _stop_remotely(bench: Rig) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (await bench.agent.mock.evse())["contactor"] == "closed":
            (transaction_id,) = bench.csms.ledger.transactions
            with suppress(AssertionError, CallError, ConnectionClosed):  # no connection, or no answer
                await bench.station.wait_connected()
                await bench.station.call("RemoteStopTransaction", {"transactionId": transaction_id}, timeout_s=1)


async def mend(bench: Rig) -> None:
    """Plug the network in again when the station has noticed; somebody else ends this."""
    while True:
        await asyncio.sleep(0.1)
        if not bench.network.plugged:
            await bench.agent.wait_for_status(lambda status: status["link"]["phase"] != "open", PATIENCE_S)
            bench.network.plug()


async def messages() -> list[tuple[Direction, int]]:
    """Those of a session that nothing disturbs: which way, and the how manieth."""
    async with rig(keys=KEYS) as bench:
        await session(bench)
        sent = [message.sent for message in bench.station.messages]
        ways = {Direction.TO_CSMS: sent.count(False), Direction.TO_STATION: sent.count(True)}
        return [(way, number) for way, count in ways.items() for number in range(1, count + 1)]


async def survive(way: Direction, number: int, delivered: bool, silent: bool, failed: Callable[[], None]) -> None:
    async with rig(keys=KEYS) as bench:
        bench.network.cut_after(number, way, delivered=delivered, silent=silent)
        mending = asyncio.create_task(mend(bench))
        try:
            await session(bench)
            if bench.station.connections > 1:
                failed()
            register_wh = await bench.energy_wh()
            await bench.agent.stop()
            judge(bench)
            (transaction,) = bench.transactions
            assert transaction.stop is not None
            assert transaction.stop_reason == "Remote"
            assert (transaction.start.energy_wh, transaction.stop.energy_wh) == (FIRST_WH, int(register_wh))
            for connector in (0, 1):
                last = bench.station.calls("StatusNotification", connectorId=connector)[-1]
                assert last.payload["status"] == "Available"
        except Exception as error:
            how = f"{'silent, ' if silent else ''}{'after' if delivered else 'before'} message {number} {way.value}"
            raise AssertionError(f"{how}: {error!r}\n{bench.agent.log[-6000:]}") from error
        finally:
            mending.cancel()
            # A last failure of the link may come as the agent stops: nobody then has to notice it.
            await asyncio.gather(mending, return_exceptions=True)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("part", range(PARTS))
async def test_a_session_is_billed_once_wherever_the_link_fails(part: int) -> None:
    """1.6 §3.7: what the CSMS has not confirmed is sent again, under the same message id and in its order."""
    places = await messages()
    assert len(places) >= LEAST_MESSAGES
    cases = [(*place, *how) for place, how in product(places, product((False, True), (False, True)))][part::PARTS]
    failed: list[tuple[object, ...]] = []
    failures = await at_most(10, *(survive(*case, partial(failed.append, case)) for case in cases))
    assert not failures, f"{len(failures)} of {len(cases)} failures of the link:\n\n" + "\n\n".join(failures[:3])
    assert len(failed) > 0.7 * len(cases)
