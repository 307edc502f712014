"""The CSMS of the benchmarks, the same for everyone measured. It is part of the driver: its CPU is not counted."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

HEARTBEAT_INTERVAL_S = 60

Watcher = Callable[[str, dict[str, Any]], None]


class Client:
    """One connection of whoever is measured. `call` asks it something; one call at a time."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._answers: dict[str, asyncio.Future[list[Any]]] = {}
        self._count = 0

    async def call(self, action: str, payload: dict[str, Any]) -> Any:
        """The payload of the answer. Raises AssertionError for a CALLERROR."""
        self._count += 1
        message_id = str(self._count)
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._answers[message_id] = answer
        await self._connection.send(json.dumps([2, message_id, action, payload]))
        async with asyncio.timeout(10):
            message = await answer
        assert message[0] == 3, f"{action}: {message}"
        return message[2]

    def answered(self, message: list[Any]) -> None:
        """A CALLRESULT or CALLERROR has come."""
        answer = self._answers.pop(str(message[1]), None)
        if answer is not None and not answer.done():
            answer.set_result(message)


class Central:
    """`async with Central() as central:` serves at `central.url` until the block ends.

    `watch(identity, watcher)`: the watcher is told of each call (action, payload) of that identity, before it is
    answered. `answer_delay_s`: each answer is held back so long, as by a slow network. `clock`: UTC, s since the epoch.
    `closed`: the identities whose connections are refused.
    """

    def __init__(self) -> None:
        self.answer_delay_s = 0.0
        self.clock: Callable[[], float] = time.time
        self.closed: set[str] = set()
        self._watchers: dict[str, Watcher] = {}
        self._booted: dict[str, asyncio.Future[Client]] = {}
        self._transactions = 0
        self._server: Server | None = None
        self._port = 0

    async def __aenter__(self) -> Central:
        self._server = await serve(
            self._serve, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp1.6")], ping_interval=None, compression=None
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}/ocpp"

    def watch(self, identity: str, watcher: Watcher) -> None:
        """From now on this watcher, and no other, is told what `identity` calls."""
        self._watchers[identity] = watcher

    async def booted(self, identity: str, timeout_s: float = 30.0) -> Client:
        """The connection of `identity`, once its BootNotification has been answered. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            return await asyncio.shield(self._next_boot(identity))

    def forget(self, identity: str) -> None:
        """`booted` waits for the next boot of this identity."""
        self._booted.pop(identity, None)

    def _next_boot(self, identity: str) -> asyncio.Future[Client]:
        if identity not in self._booted:
            self._booted[identity] = asyncio.get_running_loop().create_future()
        return self._booted[identity]

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None, "the handshake is over"
        identity = connection.request.path.rpartition("/")[2]
        if identity in self.closed:
            await connection.close(1013)
            return
        client = Client(connection)
        try:
            async for frame in connection:
                message = json.loads(frame)
                if message[0] == 2:
                    await self._answer(identity, client, connection, message)
                else:
                    client.answered(message)
        except ConnectionClosed:
            pass  # killed, once it has been measured

    async def _answer(self, identity: str, client: Client, connection: ServerConnection, message: list[Any]) -> None:
        _, message_id, action, payload = message
        watcher = self._watchers.get(identity)
        if watcher is not None:
            watcher(action, payload)
        if self.answer_delay_s:
            await asyncio.sleep(self.answer_delay_s)
        await connection.send(json.dumps([3, message_id, self._payload(action)]))
        if action == "BootNotification" and not (boot := self._next_boot(identity)).done():
            boot.set_result(client)

    def _payload(self, action: str) -> dict[str, Any]:
        now = datetime.fromtimestamp(self.clock(), UTC).isoformat(timespec="milliseconds")
        match action:
            case "BootNotification":
                return {"status": "Accepted", "currentTime": now, "interval": HEARTBEAT_INTERVAL_S}
            case "Heartbeat":
                return {"currentTime": now}
            case "Authorize":
                return {"idTagInfo": {"status": "Accepted"}}
            case "StartTransaction":
                self._transactions += 1
                return {"transactionId": self._transactions, "idTagInfo": {"status": "Accepted"}}
            case _:
                return {}
