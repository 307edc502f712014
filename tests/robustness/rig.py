"""A station on mock hardware, a network and a CSMS with its ledger, and the session that is disturbed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from agent.bench.agent_process import AgentProcess
from agent.bench.csms import BenchCsms
from agent.bench.ledger import Transaction
from agent.bench.mock_client import MockClient
from agent.bench.network import BenchNetwork
from agent.bench.station import BenchStation
from agent.bench.station_files import configuration

PATIENCE_S = 20.0
"""For what takes two seconds on an idle machine."""

FIRST_WH = 1000.0
"""What the meter shows before the first session."""

VOLTAGE_V = 2300.0
POWER_W = 3 * 32.0 * VOLTAGE_V
"""Ten times what a charger delivers, so that a second of it shows in whole watt-hours."""

DRIVER = "04AABB"
KEYS: Mapping[str, object] = {
    "MeterValueSampleInterval": 1,
    "StopTxnSampledData": "Energy.Active.Import.Register",
    "AllowOfflineTxForUnknownId": True,
    "LocalAuthorizeOffline": True,
    "HeartbeatInterval": 300,
    "WebSocketPingInterval": 0,
}


class Rig:
    """What a test holds in its hands."""

    def __init__(self, directory: Path, csms: BenchCsms, network: BenchNetwork, agent: AgentProcess) -> None:
        self.directory = directory
        self.csms = csms
        self.network = network
        self.agent = agent
        self._serving = True

    @property
    def station(self) -> BenchStation:
        """The station as the CSMS sees it."""
        return self.csms.station()

    @property
    def transactions(self) -> list[Transaction]:
        """What the ledger holds, in order."""
        return list(self.csms.ledger.transactions.values())

    async def expect(self, action: str, **fields: Any) -> None:
        """The next call of the station like this."""
        await self.station.wait_for(action, timeout_s=PATIENCE_S, **fields)

    async def csms_goes(self) -> None:
        """It serves nobody."""
        self._serving = False
        await self.csms.stop()

    async def csms_comes(self) -> None:
        """It serves again, if it did not."""
        if not self._serving:
            self._serving = True
            await self.csms.start()

    def set_register(self) -> None:
        """Let the meter show `FIRST_WH` when the agent starts."""
        (self.agent.state_dir / "mock-registers.txt").write_text(f"{1:4d} {FIRST_WH:18.3f}\n", "ascii")

    async def energy_wh(self) -> float:
        """What the meter shows."""
        return float((await self.agent.mock.evse())["energy"])

    async def power_flows(self) -> None:
        """Until the car draws power."""
        await self.agent.mock.wait_until(lambda evse: evse["drawn_current"] > 0, timeout_s=PATIENCE_S)

    async def plug_and_swipe(self) -> None:
        """A driver comes."""
        await self.agent.mock.op("plug_in", ready_after=0.02)
        await self.agent.mock.op("swipe", token=DRIVER)

    async def swipe_and_leave(self) -> None:
        """The driver goes, when the station has let go of the car."""
        await self.agent.mock.op("swipe", token=DRIVER)
        await self.agent.mock.wait_until(lambda evse: evse["contactor"] == "open", timeout_s=PATIENCE_S)
        await self.agent.mock.op("plug_out")

    async def settled(self) -> None:
        """Until the CSMS has accepted the station and knows all that happened."""
        await self.agent.wait_for_status(
            lambda status: (
                status["registration"] == "Accepted"
                and status["link"]["phase"] == "open"
                and not status["queue"]["rows"]
            ),
            PATIENCE_S,
        )

    async def online_session(self) -> None:
        """A whole one, with one meter value."""
        await self.expect("StatusNotification", connectorId=1, status="Available")
        await self.plug_and_swipe()
        await self.expect("MeterValues")
        await self.swipe_and_leave()
        await self.expect("StopTransaction")
        await self.expect("StatusNotification", connectorId=1, status="Available")
        await self.settled()

    async def offline_session(self) -> None:
        """A whole one while the CSMS cannot be reached, which hears of it afterwards."""
        await self.expect("StatusNotification", connectorId=1, status="Available")
        await self.settled()
        await self.csms_goes()
        await self.agent.wait_for_status(lambda status: status["link"]["phase"] != "open", PATIENCE_S)
        await self.plug_and_swipe()
        await self.agent.wait_for_status(lambda status: status["queue"]["rows"] >= 2, PATIENCE_S)
        await self.swipe_and_leave()
        await self.csms_comes()
        await self.expect("StopTransaction")
        await self.settled()

    async def short_session(self) -> None:
        """What any driver may expect after whatever has happened."""
        self.station.skip()
        await self.plug_and_swipe()
        await self.expect("StatusNotification", connectorId=1, status="Charging")
        await self.power_flows()
        await self.swipe_and_leave()
        await self.expect("StopTransaction")
        await self.expect("StatusNotification", connectorId=1, status="Available")
        await self.settled()


@asynccontextmanager
async def rig(
    *,
    keys: Mapping[str, object] | None = None,
    evse: Mapping[str, object] | None = None,
    mock_control: Path | None = None,
    log_level: str = "info",
    **options: Any,
) -> AsyncIterator[Rig]:
    """A rig whose agent has not been started. options: as of `agent.bench.station_files.configuration`.

    mock_control: a place for the mock's socket that is not in the state directory.
    """
    with TemporaryDirectory(prefix="evse-agent-") as name:  # a short path, as Unix sockets need it
        directory = Path(name)
        async with BenchCsms() as csms, BenchNetwork(csms.url) as network:
            content = configuration(
                network.url,
                keys={**KEYS, **(keys or {})},
                evse={"options": {"voltage": VOLTAGE_V}, **(evse or {})},
                **options,
            )
            if mock_control is not None:
                content["hal"]["mock"]["control"] = str(mock_control)
            agent = AgentProcess(directory, content, log_level=log_level)
            if mock_control is not None:
                agent.mock = MockClient(mock_control)
            agent.state_dir.mkdir(mode=0o700)
            bench = Rig(directory, csms, network, agent)
            bench.set_register()
            try:
                yield bench
            finally:
                if agent.running:
                    await agent.kill()


def judge(rig: Rig) -> None:
    """What must be true of the bill and of the conversation whatever has been done to the station."""
    rig.csms.ledger.assert_clean()
    assert not rig.station.problems, rig.station.problems
    assert "Traceback" not in rig.agent.log, rig.agent.log


async def at_most(count: int, *work: Any) -> list[str]:
    """Do the work, so many at a time; what failed, in words."""
    places = asyncio.Semaphore(count)

    async def one(task: Any) -> None:
        async with places:
            await task

    outcomes = await asyncio.gather(*(one(task) for task in work), return_exceptions=True)
    return [str(outcome) or repr(outcome) for outcome in outcomes if outcome is not None]
