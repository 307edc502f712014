"""The peer: what most Python charge points start from, a minimal script on the `ocpp` package's ChargePoint.

    python -m peer_ocpp URL [--configuration FILE]

It does what floor.py does; the package validates every payload against its JSON schema.
"""

import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from ocpp.routing import on  # type: ignore[import-untyped]  # the package carries no types
from ocpp.v16 import ChargePoint, call, call_result  # type: ignore[import-untyped]  # likewise
from websockets.asyncio.client import connect


class Peer(ChargePoint):  # type: ignore[misc]  # likewise
    keys: list[dict[str, Any]] = []  # noqa: RUF012 - set once, before the connection

    def configure(self, path: str) -> None:
        self.keys = json.loads(Path(path).read_text("utf-8"))

    @on("GetConfiguration")  # type: ignore[untyped-decorator]  # likewise
    def get_configuration(self, key: list[str] | None = None, **_: object) -> object:
        known = [entry for entry in self.keys if not key or entry["key"] in key]
        return call_result.GetConfiguration(configuration_key=known)

    async def live(self) -> None:
        boot = await self.call(call.BootNotification(charge_point_vendor="Bench", charge_point_model="Mock22"))
        while True:
            await asyncio.sleep(boot.interval)
            await self.call(call.Heartbeat())


async def main(url: str, *options: str) -> None:
    async with connect(url, subprotocols=["ocpp1.6"]) as connection:  # type: ignore[list-item]  # a NewType of str
        peer = Peer("peer", connection)
        if "--configuration" in options:
            peer.configure(options[options.index("--configuration") + 1])
        await asyncio.gather(peer.start(), peer.live())


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:]))
