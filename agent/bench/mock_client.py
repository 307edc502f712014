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

    Its methods are the operations of `hal.drivers.mock.MockStation`. Each raises MockRefusedError where the mock does
    not take the request, and waits for a socket that is not there yet: OSError after 5 s.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def op(self, op: str, **arguments: object) -> State:
        """One request as it goes over the socket: `await mock.op("plug_in", evse=2, current=16)`; its answer."""
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            reader, writer = await self._connect()
            try:
                return await _ask(reader, writer, {"op": op, **arguments})
            finally:
                await _close(writer)

    # --- what people do -----------------------------------------------------------------------------------------------

    async def plug_in(
        self,
        evse: int = 1,
        connector: int = 1,
        current: float = 32.0,
        phases: int = 3,
        ready_after: float | None = 1.0,
    ) -> None:
        """A car is plugged in; it draws up to `current` A on `phases`, and asks `ready_after` s after an offer.

        ready_after None: it does not ask until `resume`.
        """
        await self.op(
            "plug_in", evse=evse, connector=connector, current=current, phases=phases, ready_after=ready_after
        )

    async def plug_out(self, evse: int = 1, side: str = "all") -> None:
        """The cable is pulled; side "car": only out of the car."""
        await self.op("plug_out", evse=evse, side=side)

    async def pause(self, evse: int = 1) -> None:
        """The car stops drawing."""
        await self.op("pause", evse=evse)

    async def resume(self, evse: int = 1) -> None:
        """The car goes on drawing, or begins."""
        await self.op("resume", evse=evse)

    async def swipe(self, token: str | int, type: str = "ISO14443", evse: int | None = None) -> None:
        """A card at the reader; evse None: the reader serves all EVSEs. `type` is an OCPP 2.0.1 IdTokenEnumType."""
        await self.op("swipe", token=str(token), type=type, evse=evse)

    # --- what happens to the hardware ---------------------------------------------------------------------------------

    async def fault(self, evse: int = 1, error: str = "OtherError", vendor_code: str = "", info: str = "") -> None:
        """Raise a ChargePointErrorCode of OCPP 1.6; evse 0: of the station."""
        await self.op("fault", evse=evse, error=error, vendor_code=vendor_code, info=info)

    async def clear_fault(self, evse: int = 1, error: str = "OtherError") -> None:
        """Clear it."""
        await self.op("clear_fault", evse=evse, error=error)

    async def set_meter(self, evse: int = 1, **values: float | None) -> None:
        """Set the register `energy` (Wh); override `power` (W), `voltage` (V), `current` (A), `soc` (%).

        None ends an override.
        """
        await self.op("set_meter", evse=evse, **values)

    async def weld(self, evse: int = 1, stuck: bool = True) -> None:
        """The contactor no longer opens; False mends it."""
        await self.op("weld", evse=evse, stuck=stuck)

    async def fail(self, part: str, evse: int = 1, mode: str | None = None) -> None:
        """A device stops answering: `part` meter, contactor, lock, reader or pilot; `mode` timeout, error or garbage.

        None mends it.
        """
        await self.op("fail", part=part, evse=evse, mode=mode)

    async def tamper(self, open: bool) -> None:
        """The door switch."""
        await self.op("tamper", open=open)

    async def emergency_stop(self, pressed: bool) -> None:
        """The stop button."""
        await self.op("emergency_stop", pressed=pressed)

    # --- what it looks like -------------------------------------------------------------------------------------------

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
