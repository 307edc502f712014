"""One connection of a station to the bench CSMS: scripted answers first, the usual ones for the rest."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import socket
import struct
from collections.abc import Callable
from typing import Protocol

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.typing import Data

from agent.bench.answers import Answer, CallError, Delay, Fixed, Raw, Silence
from agent.bench.central_system import CentralSystem, Policy, refusal_of
from agent.bench.ledger import Ledger
from agent.bench.messages import Kind, Message, MessageLog, read_frame

_FINISH_TIMEOUT_S = 1.0


class Script(Policy, Protocol):
    """What a conversation follows and reports to."""

    ledger: Ledger

    def scripted(self, action: str) -> Answer | None:
        """The answer that has been scripted for the next call with this action."""


class Conversation:
    """The wire under a `CentralSystem`, and the loop that feeds it. Every frame that passes is noted in `log`.

    `problems` gets, in words, what a station must not do: frames that are no OCPP, calls that the schema refuses,
    message ids used again for another call, and calls sent while the answer to an earlier one was due.
    """

    def __init__(
        self,
        station: str,
        number: int,
        connection: ServerConnection,
        log: MessageLog,
        problems: list[str],
        script: Script,
    ) -> None:
        self.number = number
        self.connection = connection
        self._station = station
        self._log = log
        self._problems = problems
        self._script = script
        self._central_system = CentralSystem(station, self, script)
        self._open_calls: dict[str, Message] = {}
        self._fates: dict[str, Silence | Delay] = {}
        self._answers: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """Take in frames, and answer them, until the connection ends."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                frame: Data = await self.connection.recv()
                message = self._log.add(frame, sent=False, connection=self.number)
                if message.kind is Kind.CALL:
                    self._judge_order(message)
                    self._open_calls[message.message_id] = message
                    self._answers.add(asyncio.create_task(self._answer(message, frame)))
                elif message.kind is Kind.UNREADABLE:
                    self._problems.append(f"no OCPP message: {frame!r:.200}")

    async def finish(self) -> None:
        """Deal with what has come in, though nobody hears the answers any more."""
        if self._answers:
            _, late = await asyncio.wait(self._answers, timeout=_FINISH_TIMEOUT_S)
            for answer in late:
                answer.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    # --- the wire of the ChargePoint ----------------------------------------------------------------------------------

    async def recv(self) -> Data:
        """Never asked for: `listen` hands each frame over."""
        raise NotImplementedError

    async def send(self, frame: str) -> None:
        """Send a frame; answers are first taken into the ledger, and may be held back."""
        kind, message_id, _, payload = read_frame(frame)
        call = self._open_calls.get(message_id) if kind in (Kind.RESULT, Kind.ERROR) else None
        if call is not None and kind is Kind.RESULT:
            self._script.ledger.take(self._station, message_id, call.action, call.payload, payload)
        fate = self._fates.pop(message_id, None) if call is not None else None
        if isinstance(fate, Delay) and call is not None:
            self._log.settle(call)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(fate.wait_s):
                    await self.connection.wait_closed()
        self._open_calls.pop(message_id, None)
        if not isinstance(fate, Silence):
            await self.send_raw(frame)

    async def send_raw(self, frame: str | bytes) -> None:
        """Send anything."""
        self._log.add(frame, sent=True, connection=self.number)
        await self.connection.send(frame)

    async def close(self, code: int = 1000, reason: str = "", *, abort: bool = False) -> None:
        """End the connection: with a close frame, or by resetting the TCP connection."""
        if not abort:
            await self.connection.close(code, reason)
            return
        reset(self.connection.transport)
        await self.connection.wait_closed()

    # --- answering ----------------------------------------------------------------------------------------------------

    async def _answer(self, call: Message, frame: Data) -> None:
        try:
            await self._give_answer(call, frame)
        except ConnectionClosed:
            pass  # nobody hears the answer any more
        except Exception as error:  # noqa: BLE001 - a test's own function, which may raise anything
            self._problems.append(f"answering {call.action} raised {error!r}")
        finally:
            self._log.settle(call)
            self._answers.discard(asyncio.current_task())

    async def _give_answer(self, call: Message, frame: Data) -> None:
        answer = await self._scripted(call)
        match answer:
            case None | Delay() | Silence(processed=True):
                if answer is not None:
                    self._fates[call.message_id] = answer
                await self._central_system.route_message(frame)
            case Silence():
                self._open_calls.pop(call.message_id, None)
            case Raw(text):
                self._open_calls.pop(call.message_id, None)
                await self.send_raw(text)
            case CallError():
                error = [int(Kind.ERROR), call.message_id, answer.code, answer.description, answer.details]
                await self.send(json.dumps(error))
            case _:
                await self.send(json.dumps([int(Kind.RESULT), call.message_id, dict(answer)]))

    async def _scripted(self, call: Message) -> Fixed | None:
        """The scripted answer to a call, None for the usual one. What the schema refuses is always refused."""
        refusal = await refusal_of(call.action, call.payload)
        if refusal is not None:
            self._problems.append(f"{refusal.code}: {call.action} {json.dumps(call.payload)}: {refusal.details}")
            return None
        answer = self._script.scripted(call.action)
        if not callable(answer):
            return answer
        result = answer(call.payload)
        return await result if inspect.isawaitable(result) else result

    def _judge_order(self, call: Message) -> None:
        for other in self._open_calls.values():
            self._problems.append(f"{call.action} {call.message_id} sent before {other.action} was answered")
        first = self._log.first_call(call.message_id)
        if (first.action, first.payload) != (call.action, call.payload):
            self._problems.append(f"message id {call.message_id} used for two different calls")


def reset(transport: asyncio.BaseTransport) -> None:
    """End a TCP connection with RST instead of FIN."""
    raw = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):  # closed already
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    abort: Callable[[], None] = transport.abort  # type: ignore[attr-defined]  # every transport of a stream has it
    abort()
