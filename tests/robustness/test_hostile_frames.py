"""Ten thousand frames that no CSMS should send: the station answers what OCPP-J asks for, lives, and charges."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.bench.answers import Raw, Silence
from agent.bench.messages import Kind
from agent.bench.station import BenchStation

from .hostile_frames import UNREADABLE, Unreadable, inventions, judge, mutations
from .rig import PATIENCE_S, Rig, rig
from .rig import judge as judge_rig

MUTATIONS, INVENTIONS = 6_000, 4_000
BATCH = 100
WARM_UP = 2_000
GROWTH_KB = 3_000
LOG_BYTES_PER_FRAME = 300
VARIABLES = {"OCPPCommCtrlr": {"MessageTimeout": 1}}

HOSTILE_ANSWERS = (
    '[3,"ID",{"currentTime":17}]',
    '[3,"ID",{"currentTime":"yesterday"}]',
    '[3,"ID",{"currentTime":"0001-01-01T00:00:00Z"}]',
    '[3,"ID",{"currentTime":"9999-12-31T23:59:59+14:00"}]',
    '[3,"ID",[]]',
    '[3,"ID"]',
    '[3,"ID",null]',
    '[3,"ID",{},{},{}]',
    '[3,"ID",{"currentTime":',
    '[3,"ID",' + '{"a":' * 20_000,
    '[3,"ID",{"currentTime":' + "9" * 5000 + "}]",
    '[4,"ID"]',
    '[4,"ID",17,{},[]]',
    '[4,"ID","NoSuchCode","' + "x" * 100_000 + '",{}]',
    '[4,"ID","InternalError","",{"a":' + "[" * 500 + "]" * 500 + "}]",
    "",
    "[]",
)
"""To a Heartbeat of the station, whose message id is ID."""


def resident_kb(pid: int) -> int:
    """What the process holds in memory."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


async def in_step(station: BenchStation) -> None:
    """Until the station has dealt with all it was sent."""
    await station.call("GetConfiguration", {"key": ["HeartbeatInterval"]}, timeout_s=PATIENCE_S)


async def answers(station: BenchStation, frames: list[str | bytes]) -> list[tuple[str, str, Any]]:
    """Send them all; the station's answers: message id, error code ("" for none), payload."""
    start = len(station.messages)
    for frame in frames:
        await station.send_raw(frame)
    await in_step(station)
    heard = [message for message in station.messages[start:] if not message.sent]
    return [
        (message.message_id, message.payload[0] if message.kind is Kind.ERROR else "", message.payload)
        for message in heard
        if message.kind in (Kind.RESULT, Kind.ERROR) and not message.message_id.startswith("csms-")
    ]


def complaints(frames: list[str | bytes], given: list[tuple[str, str, Any]]) -> list[str]:
    """What is wrong with these answers to these frames."""
    allowed: defaultdict[str, list[frozenset[str]]] = defaultdict(list)
    for frame in frames:
        try:
            verdict = None if isinstance(frame, bytes) else judge(frame)
        except Unreadable:
            continue
        if verdict is not None:
            allowed[verdict[0]].append(verdict[1])
    found = []
    for message_id, code, payload in given:
        codes = allowed[message_id]
        if not codes:
            if code != UNREADABLE:
                found.append(f"{message_id!r} needs no answer, got {code or payload}")
        elif code in codes[0] or code == UNREADABLE:
            codes.pop(0)
        else:
            found.append(f"{message_id!r}: {code or payload} is none of {set(codes.pop(0))}")
    found += [f"{message_id!r}: no answer" for message_id, codes in allowed.items() if codes]
    return found


async def ready(bench: Rig) -> None:
    await bench.agent.start()
    await bench.expect("StatusNotification", connectorId=1, status="Available")


@pytest.mark.timeout(180)
async def test_ten_thousand_hostile_frames() -> None:
    frames = [*mutations(MUTATIONS, seed=16), *inventions(INVENTIONS)]
    assert len(frames) >= 10_000
    async with rig(log_level="warning", variables=VARIABLES) as bench:
        await ready(bench)
        before_kb = 0
        wrong: list[str] = []
        for start in range(0, len(frames), BATCH):
            if start == WARM_UP:
                before_kb = resident_kb(bench.agent.pid)
            batch = frames[start : start + BATCH]
            wrong += complaints(batch, await answers(bench.station, batch))
        grown_kb = resident_kb(bench.agent.pid) - before_kb
        log_bytes = len(bench.agent.log)
        assert bench.station.connections == 1
        assert not wrong, f"{len(wrong)} answers:\n" + "\n".join(wrong[:20])
        await bench.short_session()
        await bench.agent.stop()
        judge_rig(bench)
        assert grown_kb < GROWTH_KB
        assert log_bytes < LOG_BYTES_PER_FRAME * len(frames)


async def test_calls_are_answered_while_one_of_the_stations_own_waits() -> None:
    """OCPP-J 1.6 §4.1.1 binds each side for itself."""
    async with rig(variables=VARIABLES) as bench:
        await ready(bench)
        bench.csms.on("Heartbeat", Silence())
        await bench.station.call("TriggerMessage", {"requestedMessage": "Heartbeat"})
        await bench.station.wait_for("Heartbeat")
        burst: list[str | bytes] = [json.dumps([2, f"b{number}", "ClearCache", {}]) for number in range(50)]
        given = await answers(bench.station, burst)
        assert [(message_id, code) for message_id, code, _ in given] == [(f"b{number}", "") for number in range(50)]
        judge_rig(bench)


async def test_a_second_call_under_the_id_of_one_that_is_being_handled_is_refused() -> None:
    async with rig(evse={"connectors": ["sType2"]}) as bench:
        await ready(bench)
        given = await answers(bench.station, [json.dumps([2, "same", "UnlockConnector", {"connectorId": 1}])] * 2)
        async with asyncio.timeout(PATIENCE_S):
            while len(given) < 2:  # the latch takes its time
                given += await answers(bench.station, [])
        assert sorted(code for _, code, _ in given) == ["", "GenericError"]
        judge_rig(bench)


async def test_hostile_answers_to_the_stations_calls() -> None:
    """A call whose answer is of no use has failed; one without an answer times out; neither holds up the next."""
    async with rig(log_level="warning", variables=VARIABLES) as bench:
        await ready(bench)
        for shape in (*HOSTILE_ANSWERS, '[3,"other",{}]'):
            bench.csms.on("Heartbeat", _raw(bench.station, shape))
            await bench.station.call("TriggerMessage", {"requestedMessage": "Heartbeat"})
            await bench.station.wait_for("Heartbeat")
        bench.csms.on("Heartbeat", None)
        await bench.station.call("TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 1})
        await bench.expect("StatusNotification", connectorId=1, status="Available")
        assert bench.station.connections == 1
        await bench.short_session()
        judge_rig(bench)


def _raw(station: BenchStation, shape: str) -> Callable[[object], Raw]:
    """Answers the station's last call in this shape."""

    def answer(_payload: object) -> Raw:
        call = next(message for message in reversed(station.messages) if message.kind is Kind.CALL and not message.sent)
        return Raw(shape.replace("ID", call.message_id))

    return answer


async def test_hostile_answers_in_a_session() -> None:
    """What the CSMS does not take in its attempts is set aside; the session goes on, and so does the next one."""
    async with rig(keys={"TransactionMessageAttempts": 1, "TransactionMessageRetryInterval": 0}) as bench:
        await ready(bench)
        for action in ("Authorize", "StartTransaction", "MeterValues", "StopTransaction", "StatusNotification"):
            bench.csms.on(action, _raw(bench.station, HOSTILE_ANSWERS[0]))
        await bench.plug_and_swipe()
        await bench.power_flows()
        await bench.expect("MeterValues")
        await bench.swipe_and_leave()
        await bench.expect("StopTransaction")
        for action in ("Authorize", "StartTransaction", "MeterValues", "StopTransaction", "StatusNotification"):
            bench.csms.on(action, None)
        await bench.settled()
        await bench.short_session()
        assert "Traceback" not in bench.agent.log
        assert not bench.station.problems


async def test_hostile_answers_to_the_boot_notification() -> None:
    """1.6 §4.2: without a usable answer the station is not accepted, and asks again."""
    async with rig(log_level="warning", variables=VARIABLES) as bench:
        shapes = (
            '[3,"ID",{"currentTime":"2025-01-01T00:00:00Z","interval":"300","status":"Accepted"}]',
            '[3,"ID",{"currentTime":"2025-01-01T00:00:00Z","interval":300,"status":"Maybe"}]',
            '[3,"ID",{"interval":300,"status":"Accepted"}]',
            '[4,"ID","InternalError","",{}]',
        )
        for shape in shapes:
            bench.csms.on_next("BootNotification", _raw(bench.station, shape))
        await ready(bench)
        assert len(bench.station.calls("BootNotification")) == len(shapes) + 1
        await bench.short_session()
        judge_rig(bench)
