"""The mock hardware's control socket, from a test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hal.drivers.mock.socket_path import connect

_LINE_LIMIT_BYTES = 1024 * 1024
_ANSWER_TIMEOUT_S = 5.0
_RETRY_S = 0.02

State = dict[str, Any]
"""What the op `state` answers."""


class MockRefusedError(AssertionError):
    """The mock answered `"ok": false`; the text is its reason."""


class MockClient:
    """Sends requests to the control socket at `path`, on a connection each, so that it may be restarted in between.

    A socket that is not there yet is waited for; OSError after 5 s.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def op(self, op: str, **arguments: object) -> State:
        """One request: `await mock.op("plug_in", evse=2, current=16)`. Raises MockRefusedError."""
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            reader, writer = await self._connect()
            try:
                return await _ask(reader, writer, {"op": op, **arguments})
            finally:
                await _close(writer)

    async def state(self) -> State:
        """What all of the hardware looks like now."""
        return await self.op("state")

    async def evse(self, evse_id: int = 1) -> State:
        """What one EVSE looks like now."""
        return _part(await self.state(), evse_id)

    async def wait_until(
        self, wanted: Callable[[State], object], *, evse: int | None = 1, timeout_s: float = 5.0
    ) -> State:
        """Until what `evse` looks like is `wanted`; that state. evse None: all of the hardware.

        Raises AssertionError with the last state.
        """
        latest: State = {}
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await self._connect()
                try:
                    latest = _part(await _ask(reader, writer, {"op": "watch"}), evse)
                    while not wanted(latest):
                        latest = _part(_answer(await reader.readline()), evse)
                    return latest
                finally:
                    await _close(writer)
        except TimeoutError:
            what = "the hardware" if evse is None else f"EVSE {evse}"
            raise AssertionError(f"{what} is still like this after {timeout_s:g} s: {latest}") from None

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        deadline_s = asyncio.get_running_loop().time() + _ANSWER_TIMEOUT_S
        while True:
            try:
                connection = connect(self._path)
            except (FileNotFoundError, ConnectionRefusedError):
                if asyncio.get_running_loop().time() > deadline_s:
                    raise
                await asyncio.sleep(_RETRY_S)
            else:
                return await asyncio.open_unix_connection(sock=connection, limit=_LINE_LIMIT_BYTES)


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: dict[str, object]) -> State:
    writer.write(json.dumps(request).encode() + b"\n")
    await writer.drain()
    return _answer(await reader.readline())


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


def _answer(line: bytes) -> State:
    if not line:
        raise ConnectionResetError("the mock closed its control socket")
    answer: State = json.loads(line)
    if not answer["ok"]:
        raise MockRefusedError(answer["error"])
    return answer


def _part(state: State, evse_id: int | None) -> State:
    if evse_id is None:
        return state
    for evse in state["evses"]:
        if evse["id"] == evse_id:
            found: State = evse
            return found
    raise AssertionError(f"there is no EVSE {evse_id}: {state['evses']}")
