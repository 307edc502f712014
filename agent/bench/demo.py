"""`evse-agent demo`: one charging session on mock hardware, with a CSMS, a network and a driver in this process."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from agent import __version__
from agent.app import Agent
from agent.bench.csms import BenchCsms
from agent.bench.messages import Kind
from agent.bench.mock_client import MockClient
from agent.bench.network import BenchNetwork
from agent.bench.station_files import MOCK_SOCKET, configuration, provision, write_configuration
from agent.bench.status import Status, wait_for_status
from agent.bench.timeline import Side, Timeline, taken_at_ms
from agent.bench.tls import BenchTls
from agent.config import load

IDENTITY = "DEMO-1"
CARD = "04A1B2C3D4E580"

_LONGEST_S = 60.0
_STEP_TIMEOUT_S = 10.0
_SAMPLES_ONLINE = 2
_SAMPLES_OFFLINE = 4
_KEPT_LOG_RECORDS = 200

_KEYS = {
    "MeterValueSampleInterval": 1,
    "MeterValuesSampledData": "Energy.Active.Import.Register,Power.Active.Import",
    "WebSocketPingInterval": 1,
}


class _LogKeeper(logging.Handler):
    """Keeps what our side logs, and what others warn of, to be shown only if the demo fails."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.WARNING and not record.name.startswith(("agent.", "hal.")):
            return
        self.lines.append(f"{record.levelname.lower():7} {record.name}: {record.getMessage()}")
        del self.lines[:-_KEPT_LOG_RECORDS]


async def demo(out: TextIO | None = None) -> int:
    """Run it, print its timeline to `out` (standard output), and return the exit code: 0 if all was as it should be."""
    timeline = Timeline(out or sys.stdout)
    log = _LogKeeper()
    root = logging.getLogger()
    level = root.level
    root.addHandler(log)
    root.setLevel(logging.INFO)
    began_s = time.monotonic()
    try:
        async with asyncio.timeout(_LONGEST_S):
            await _run(timeline)
    except Exception as failure:  # noqa: BLE001 - whatever it is, a person reads it here, with the log that explains it
        timeline.text("\nFAILED")
        for leaf in _leaves(failure):
            timeline.text(f"  {type(leaf).__name__}: {leaf}")
        timeline.text("\nThe log:")
        for line in log.lines:
            timeline.text(f"  {line}")
        return 1
    finally:
        root.removeHandler(log)
        root.setLevel(level)
    timeline.text(f"  took        {time.monotonic() - began_s:.1f} s")
    return 0


async def _run(timeline: Timeline) -> None:
    tls = BenchTls()
    password = secrets.token_urlsafe(12)
    with TemporaryDirectory(prefix="evse-agent-demo-") as directory:
        config_path, state_dir = Path(directory, "config.toml"), Path(directory, "state")
        async with BenchCsms(tls=tls, password=password) as csms, BenchNetwork(csms.url) as network:
            timeline.text("One charging session, card to invoice: a charging station on mock hardware and a CSMS.")
            timeline.text(f"OCPP 1.6 at {network.url}, by TLS and password. Times are UTC.\n")
            content = configuration(network.url, identity=IDENTITY, evses=2, security_profile=2, keys=_KEYS)
            write_configuration(config_path, content)
            provision(state_dir, password=password, root_ca=tls.root_ca)
            agent = Agent(load(config_path), state_dir, __version__)
            async with asyncio.TaskGroup() as group:
                group.create_task(agent.run(signals=False))
                try:
                    await _Session(timeline, csms, network, state_dir).play()
                finally:
                    agent.stop()


class _Session:
    """The play in its acts, and what has to be true at the end."""

    def __init__(self, timeline: Timeline, csms: BenchCsms, network: BenchNetwork, state_dir: Path) -> None:
        self._timeline = timeline
        self._csms = csms
        self._network = network
        self._state_dir = state_dir
        self._station = csms.station(IDENTITY)
        self._station.log.on_message = timeline.message
        self._mock = MockClient(state_dir / MOCK_SOCKET)

    async def play(self) -> None:
        """Raises AssertionError where something is not as it should be."""
        await self._station.wait_connected(timeout_s=_STEP_TIMEOUT_S)
        self._timeline.line(Side.NETWORK, "connected", "the station trusts the certificate, the CSMS the password")
        await self._status(1, "Available")
        await self._status(2, "Available")
        await self._begin()
        outage_ms = await self._lose_the_network()
        await self._end()
        await self._check(outage_ms)

    async def _begin(self) -> None:
        self._timeline.line(Side.DRIVER, "holds up a card", CARD)
        await self._mock.swipe(CARD)
        await self._station.wait_for("Authorize", idTag=CARD, timeout_s=_STEP_TIMEOUT_S)
        self._timeline.line(Side.DRIVER, "plugs the car in", "at EVSE 1; the car takes up to 32 A on 3 phases")
        await self._mock.plug_in(ready_after=0.5)
        await self._status(1, "Charging")
        await self._samples(_SAMPLES_ONLINE)

    async def _lose_the_network(self) -> tuple[int, int]:
        """When it was away, UTC, ms."""
        timeline = self._timeline
        timeline.line(Side.NETWORK, "cable unplugged", "nothing arrives any more, and nobody is told")
        self._network.unplug()
        from_ms = _now_ms()
        status = await self._wait(lambda status: status["link"]["phase"] != "open")
        seen = status["link"]["last_diagnosis"]["code"]
        timeline.line(Side.STATION, "notices", f"no answer to its pings ({seen}); it goes on charging and dials again")
        # One of them may be older: received by the CSMS, but its answer did not arrive.
        status = await self._wait(lambda status: status["queue"]["rows"] > _SAMPLES_OFFLINE)
        to_ms = _now_ms()
        timeline.line(Side.NETWORK, "cable plugged in", f"{status['queue']['rows']} messages wait in the station")
        self._network.plug()
        await self._station.wait_connected(connection=2, timeout_s=_STEP_TIMEOUT_S)
        timeline.line(Side.NETWORK, "connected again", "the station delivers what it has kept, in order")
        await self._wait(lambda status: not status["queue"]["rows"])
        self._station.skip()
        await self._samples(1)
        return from_ms, to_ms

    async def _end(self) -> None:
        (transaction,) = self._csms.ledger.running
        answer = await self._station.call("RemoteStopTransaction", {"transactionId": transaction.transaction_id})
        assert answer["status"] == "Accepted", f"the remote stop was answered with {answer}"
        await self._station.wait_for("StopTransaction", reason="Remote", timeout_s=_STEP_TIMEOUT_S)
        await self._status(1, "Finishing")
        self._timeline.line(Side.DRIVER, "unplugs the car", "and drives off")
        await self._mock.plug_out()
        await self._status(1, "Available")

    async def _check(self, outage_ms: tuple[int, int]) -> None:
        status = await self._wait(lambda status: not status["queue"]["rows"])
        assert not status["queue"]["parked"], "the CSMS has refused messages for good"
        assert not self._station.problems, f"the CSMS complains: {self._station.problems}"
        self._csms.ledger.assert_clean()
        billed_wh = self._csms.ledger.energy_wh
        metered_wh = (await self._mock.evse(1))["energy"]
        assert abs(billed_wh - metered_wh) <= 1, f"billed are {billed_wh:g} Wh, the meter counted {metered_wh:g} Wh"
        from_ms, to_ms = outage_ms
        kept = {
            call.message_id
            for call in self._station.calls("MeterValues")
            if from_ms <= (taken_at_ms(call) or 0) <= to_ms <= call.utc_ms
        }
        assert len(kept) >= _SAMPLES_OFFLINE, f"only {len(kept)} meter values tell of the outage"
        calls = [message for message in self._station.messages if message.kind is Kind.CALL]
        sent = sum(message.sent for message in calls)
        self._timeline.text("\nAll is as it should be:")
        self._timeline.text(f"  energy      {billed_wh:.0f} Wh billed, as the meter counted")
        self._timeline.text(f"  messages    {len(calls) - sent} from the station, {sent} from the CSMS, none refused")
        outage_s = (to_ms - from_ms) / 1000
        self._timeline.text(
            f"  outage      {outage_s:.1f} s; {len(kept)} meter values kept and delivered with their times"
        )
        self._timeline.text("  queue       empty")

    async def _status(self, connector_id: int, status: str) -> None:
        await self._station.wait_for(
            "StatusNotification", connectorId=connector_id, status=status, timeout_s=_STEP_TIMEOUT_S
        )

    async def _samples(self, count: int) -> None:
        for _ in range(count):
            await self._station.wait_for("MeterValues", connectorId=1, timeout_s=_STEP_TIMEOUT_S)

    async def _wait(self, wanted: Callable[[Status], object]) -> Status:
        return await wait_for_status(self._state_dir, wanted, _STEP_TIMEOUT_S)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _leaves(failure: BaseException) -> list[BaseException]:
    if isinstance(failure, BaseExceptionGroup):
        return [leaf for each in failure.exceptions for leaf in _leaves(each)]
    return [failure]
