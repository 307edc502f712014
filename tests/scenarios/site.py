"""A station on mock hardware and its CSMS, and what drivers, operators and technicians do with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from agent.bench.agent_process import AgentProcess
from agent.bench.csms import BenchCsms
from agent.bench.messages import Message
from agent.bench.mock_client import State

CARD = "04AABBCC"
OTHER_CARD = "04DDEEFF"

_POLL_S = 0.05

Payload = dict[str, Any]


class Site:
    """One running agent and its CSMS. `op` is a request to the mock hardware, `call` one of the CSMS's."""

    def __init__(self, csms: BenchCsms, agent: AgentProcess) -> None:
        self.csms = csms
        self.agent = agent
        self.station = csms.station()
        self.op = agent.mock.op
        self.call = self.station.call
        self.wait_for = self.station.wait_for

    # --- what the CSMS sees -------------------------------------------------------------------------------------------

    async def shows(self, connector: int, status: str, *, timeout_s: float = 5.0, **fields: Any) -> Message:
        """The next StatusNotification of this connector with this status."""
        return await self.wait_for(
            "StatusNotification", connectorId=connector, status=status, timeout_s=timeout_s, **fields
        )

    def statuses(self, connector: int, since: int = 0) -> list[str]:
        """All statuses that the connector has told, from the `since`th message of the station on."""
        return [
            message.payload["status"]
            for message in self.station.messages[since:]
            if message in self.station.calls("StatusNotification", connectorId=connector)
        ]

    def transaction_id(self, start: Message) -> int:
        """What the CSMS calls the transaction that this StartTransaction began."""
        assert start.action == "StartTransaction"
        return self.csms.transaction_id(self.station.identity, start.message_id)

    async def settled(self) -> None:
        """Until the station has said all that it had to say by now, transactions included."""
        await self.agent.wait_for_status(lambda status: status["queue"]["rows"] == 0)
        assert await self.trigger("Heartbeat") == "Accepted"
        await self.wait_for("Heartbeat")

    # --- what people do -----------------------------------------------------------------------------------------------

    async def swipe(self, card: str = CARD, evse: int | None = None) -> None:
        await self.op("swipe", token=card, evse=evse)

    async def plug_in(self, evse: int = 1, **car: object) -> None:
        """A car is plugged in; it asks for energy as soon as it is offered some, unless `car` says otherwise."""
        await self.op("plug_in", evse=evse, **{"ready_after": 0, **car})

    async def plug_out(self, evse: int = 1, side: str = "all") -> None:
        await self.op("plug_out", evse=evse, side=side)

    async def charge(self, card: str = CARD, evse: int = 1, **car: object) -> Message:
        """A driver plugs in and shows a card at this EVSE, which has one connector; its StartTransaction, charging."""
        await self.plug_in(evse, **car)
        await self.shows(evse, "Preparing")
        await self.swipe(card, evse)
        start = await self.wait_for("StartTransaction", connectorId=evse, idTag=card)
        await self.shows(evse, "Charging")
        return start

    async def hardware(self, wanted: Callable[[State], object], evse: int = 1, timeout_s: float = 5.0) -> State:
        """Until the EVSE's hardware looks like that."""
        return await self.agent.mock.wait_until(wanted, evse=evse, timeout_s=timeout_s)

    async def delivers(self, energy_wh: float, evse: int = 1) -> None:
        """Until so much more has gone through the meter, which says nothing while it only counts."""
        state = await self.agent.mock.evse(evse)
        await self.op("set_meter", evse=evse, energy=state["energy"] + energy_wh)

    async def restart(self) -> None:
        """The agent is stopped and started again."""
        await self.agent.restart()

    # --- what the operator asks ---------------------------------------------------------------------------------------

    async def asked(self, action: str, **payload: object) -> str:
        """The status in the answer to a call of the CSMS."""
        return str((await self.call(action, payload))["status"])

    async def trigger(self, message: str, connector: int | None = None) -> str:
        connectors = {} if connector is None else {"connectorId": connector}
        return await self.asked("TriggerMessage", requestedMessage=message, **connectors)

    async def configure(self, **keys: object) -> None:
        """Change configuration keys, which the station accepts."""
        for key, value in keys.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            assert await self.asked("ChangeConfiguration", key=key, value=text) == "Accepted", key

    async def configuration(self, *keys: str) -> dict[str, str]:
        """The values of these keys, which the station knows."""
        answer = await self.call("GetConfiguration", {"key": list(keys)})
        assert "unknownKey" not in answer
        return {entry["key"]: entry["value"] for entry in answer["configurationKey"]}


def apart(first: Message, second: Message, seconds: float) -> bool:
    """So long passed between them, or somewhat longer, as on a busy machine."""
    return -0.2 <= second.at_s - first.at_s - seconds < 2.0


async def eventually(true: Callable[[], object], timeout_s: float = 5.0) -> None:
    """Until something outside of station and CSMS is true."""
    async with asyncio.timeout(timeout_s):
        while not true():  # noqa: ASYNC110 - nothing tells when a file appears
            await asyncio.sleep(_POLL_S)


async def power_cut(site: Site) -> None:
    """The power goes, and comes back."""
    await site.agent.kill()
    await site.agent.start()
