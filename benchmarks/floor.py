"""The floor: the least that a Python program can do, `websockets` and `json` and nothing else.

It makes the agent's calls over one connection: BootNotification, Heartbeat in the interval that the CSMS gives, answers
to GetConfiguration. No validation, no hardware, no store, no second attempt at anything.

    python -m floor URL [--configuration FILE] [--replay FILE COUNT]

FILE holds JSON: the keys to answer GetConfiguration with; or the payload of one MeterValues, sent COUNT times in
lockstep.
"""

import asyncio
import json
import sys
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

BOOT = {"chargePointVendor": "Bench", "chargePointModel": "Mock22", "chargePointSerialNumber": "B-FLOOR"}


class Floor:
    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._answer: asyncio.Future[Any] | None = None
        self._count = 0
        self._keys: list[dict[str, Any]] = []
        self._by_name: dict[str, dict[str, Any]] = {}

    def configure(self, path: str) -> None:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib would be one import more
            self._keys = json.load(file)
        self._by_name = {key["key"]: key for key in self._keys}

    async def call(self, action: str, payload: dict[str, Any]) -> Any:
        self._count += 1
        self._answer = asyncio.get_running_loop().create_future()
        await self._connection.send(json.dumps([2, str(self._count), action, payload]))
        return await self._answer

    async def listen(self) -> None:
        async for frame in self._connection:
            message = json.loads(frame)
            if message[0] == 2:
                await self._connection.send(json.dumps([3, message[1], self._handle(message[3])]))
            elif self._answer is not None:
                self._answer.set_result(message[2])

    def _handle(self, payload: dict[str, Any]) -> dict[str, Any]:
        wanted = payload.get("key")
        if not wanted:
            return {"configurationKey": self._keys}
        return {
            "configurationKey": [self._by_name[name] for name in wanted if name in self._by_name],
            "unknownKey": [name for name in wanted if name not in self._by_name],
        }


async def main(url: str, *options: str) -> None:
    async with connect(url, subprotocols=["ocpp1.6"]) as connection:  # type: ignore[list-item]  # a NewType of str
        floor = Floor(connection)
        if "--configuration" in options:
            floor.configure(options[options.index("--configuration") + 1])
        listening = asyncio.create_task(floor.listen())
        answer = await floor.call("BootNotification", BOOT)
        if "--replay" in options:
            path, count = options[options.index("--replay") + 1 :][:2]
            with open(path, encoding="utf-8") as file:  # noqa: ASYNC230, PTH123 - once, before anything is timed
                payload = json.load(file)
            for _ in range(int(count)):
                await floor.call("MeterValues", payload)
        while not listening.done():
            await asyncio.sleep(answer["interval"])
            await floor.call("Heartbeat", {})


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:]))
