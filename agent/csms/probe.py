"""Trying the connection once, for people: what each phase saw, and the diagnosis where it stopped."""

from __future__ import annotations

import asyncio
import time

from agent.charging.value import Value
from agent.csms.backoff import DialLimit
from agent.csms.diagnosis import Diagnosis, DialFailed, Phase
from agent.csms.dial import Timeouts, dial
from agent.csms.inspection import Inspector
from agent.csms.target import Target
from agent.csms.tcp import SYSTEM_NETWORK, Network
from agent.csms.websocket import Connection

_NORMAL = 1000
_WATCHED_S = 1.0


class StepResult(Value):
    """One phase of the attempt."""

    phase: Phase
    ok: bool
    seen: str
    diagnosis: Diagnosis | None = None
    """Where it stopped, why."""


async def probe(
    target: Target, *, network: Network = SYSTEM_NETWORK, timeouts: Timeouts | None = None
) -> tuple[StepResult, ...]:
    """Dials `target` once, watches for a second, closes with 1000; no OCPP message is sent. Raises nothing: the last
    step tells.

    A CSMS that allows one connection per identity may close the running agent's in favour of this one.
    """
    steps: list[StepResult] = []
    inspector = Inspector(DialLimit(), time.monotonic)
    try:
        established = await dial(
            target,
            inspector,
            network=network,
            timeouts=timeouts,
            on_phase=lambda phase, seen: steps.append(StepResult(phase, True, seen)),
        )
    except DialFailed as error:
        diagnosis = error.diagnosis
        return (*steps, StepResult(diagnosis.phase, False, diagnosis.seen, diagnosis))
    connection = Connection(established, lambda _: None, lambda _: None)
    try:
        connection.start()
        ended = await _ended_by_the_csms(connection)
        if ended is not None:
            return (*steps, StepResult(Phase.OPEN, False, ended.seen, ended))
        await connection.close(_NORMAL, "connection test")
    finally:
        connection.abort("connection test")
    return (*steps, StepResult(Phase.OPEN, True, f"stayed open for {_WATCHED_S:.0f} s"))


async def _ended_by_the_csms(connection: Connection) -> Diagnosis | None:
    """A CSMS that lets the station in only to throw it out does so at once."""
    try:
        async with asyncio.timeout(_WATCHED_S):
            return await connection.wait_closed()
    except TimeoutError:
        return None
