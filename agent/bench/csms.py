"""A small OCPP 1.6 CSMS on loopback, to be scripted and watched by tests and by the demo."""

from __future__ import annotations

import asyncio
import base64
import binascii
import ssl
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from types import TracebackType
from typing import Protocol
from urllib.parse import unquote, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol as SubprotocolName

from agent.bench.answers import Answer
from agent.bench.conversation import Conversation, reset
from agent.bench.ledger import Ledger
from agent.bench.station import BenchStation
from agent.bench.upgrade import Attempt, CloseAtOnce, NoAnswer, Refuse, Subprotocol, UpgradeFault

SUBPROTOCOL = "ocpp1.6"
IDENTITY = "CP001"


class ServerTls(Protocol):
    """What the CSMS needs to serve wss. `root_ca`: what a station has to trust (PEM text)."""

    root_ca: str

    def server_context(self) -> ssl.SSLContext:
        """The TLS context with the server's certificate."""


class BenchCsms:
    """`async with BenchCsms() as csms:` serves at `csms.url` until the block ends.

    tls: serve wss. password: what a station must present by basic auth; None: nothing is asked for.
    accept_identity: which stations are known, others get 404; None: all. host: a name or address of this machine.
    first_transaction_id: transaction ids count up from it. ping_interval_s: None for no pings by the CSMS.

    What may be changed at any time:

    `id_tags`: idTag to IdTagInfo; `other_id_tags`: that of all others. `heartbeat_interval_s`. `clock`: what the
    CSMS holds for UTC. `registrations`: status and interval (s) for the next BootNotifications, then Accepted.
    `upgrades`: what spoils the next upgrades, one each (None: nothing); `every_upgrade`: all others.
    """

    def __init__(
        self,
        *,
        tls: ServerTls | None = None,
        password: str | bytes | None = None,
        accept_identity: Callable[[str], bool] | None = None,
        host: str = "127.0.0.1",
        first_transaction_id: int = 1,
        ping_interval_s: float | None = None,
    ) -> None:
        self.id_tags: dict[str, Mapping[str, str]] = {}
        self.other_id_tags: Mapping[str, str] = {"status": "Accepted"}
        self.heartbeat_interval_s = 300
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.registrations: deque[tuple[str, int]] = deque()
        self.upgrades: deque[UpgradeFault | None] = deque()
        self.every_upgrade: UpgradeFault | None = None
        self.attempts: list[Attempt] = []
        self.ledger = Ledger()
        self.password = password
        self._tls = tls
        self._accept_identity = accept_identity
        self._host = host
        self._port = 0
        self._ping_interval_s = ping_interval_s
        self._stations: dict[str, BenchStation] = {}
        self._next_answers: dict[str, deque[Answer]] = {}
        self._answers: dict[str, Answer] = {}
        self._transaction_ids = count(first_transaction_id)
        self._assigned: dict[tuple[str, str], int] = {}
        self._faults: dict[ServerConnection, UpgradeFault | None] = {}
        self._stopping = asyncio.Event()
        self._server: Server | None = None

    async def __aenter__(self) -> BenchCsms:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Serve; after `stop` at the same port, with the same memory."""
        self._stopping = asyncio.Event()
        self._server = await serve(
            self._converse,
            self._host,
            self._port,
            ssl=None if self._tls is None else self._tls.server_context(),
            process_request=self._examine,
            process_response=self._spoil,
            select_subprotocol=_select,
            compression=None,
            ping_interval=self._ping_interval_s,
            open_timeout=None,
            close_timeout=1,
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close every connection and serve no more."""
        if self._server is not None:
            self._stopping.set()
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    # --- for tests ----------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """What a station is given as the CSMS's URL; it appends its identity."""
        return f"{'ws' if self._tls is None else 'wss'}://{self._host}:{self._port}/ocpp"

    @property
    def root_ca(self) -> str | None:
        """What a station has to trust, PEM text; None without TLS."""
        return None if self._tls is None else self._tls.root_ca

    def station(self, identity: str = IDENTITY) -> BenchStation:
        """The station of this identity, whether it has been here yet or not."""
        if identity not in self._stations:
            self._stations[identity] = BenchStation(identity)
        return self._stations[identity]

    def on(self, action: str, answer: Answer | None) -> None:
        """Answer every call with this action like this; None: as usual again."""
        if answer is None:
            self._answers.pop(action, None)
        else:
            self._answers[action] = answer

    def on_next(self, action: str, *answers: Answer) -> None:
        """Answer the next calls with this action like this, one each; they come before `on`."""
        self._next_answers.setdefault(action, deque()).extend(answers)

    # --- what conversations ask ---------------------------------------------------------------------------------------

    def scripted(self, action: str) -> Answer | None:
        """The answer that has been scripted for the next call with this action."""
        if queue := self._next_answers.get(action):
            return queue.popleft()
        return self._answers.get(action)

    def register(self) -> tuple[str, int]:
        """The registration status and the interval (s) for a BootNotification."""
        return self.registrations.popleft() if self.registrations else ("Accepted", self.heartbeat_interval_s)

    def now(self) -> str:
        """The CSMS's clock, RFC 3339."""
        return self.clock().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def id_tag_info(self, id_tag: str) -> Mapping[str, str]:
        """The IdTagInfo for an idTag; case does not matter (1.6 §7.28)."""
        known = {name.casefold(): info for name, info in self.id_tags.items()}
        return known.get(id_tag.casefold(), self.other_id_tags)

    def transaction_id(self, station: str, message_id: str) -> int:
        """The id for a StartTransaction; a retry under the same message id gets the same one."""
        key = (station, message_id)
        if key not in self._assigned:
            self._assigned[key] = next(self._transaction_ids)
        return self._assigned[key]

    # --- connections --------------------------------------------------------------------------------------------------

    async def _examine(self, connection: ServerConnection, request: Request) -> Response | None:
        fault = self.upgrades.popleft() if self.upgrades else self.every_upgrade
        self._faults[connection] = fault
        self.attempts.append(_attempt(request))
        identity = _identity(request)
        if isinstance(fault, Refuse):
            return _response(connection, fault)
        if isinstance(fault, NoAnswer):
            await self._stopping.wait()
        if self._accept_identity is not None and not self._accept_identity(identity):
            return _response(connection, Refuse(404, body=f"unknown station {identity}\n"))
        if self.password is not None and not self._knows_password(identity, request.headers):
            return _response(connection, Refuse(401, {"WWW-Authenticate": 'Basic realm="OCPP"'}))
        return None

    def _spoil(self, connection: ServerConnection, _request: Request, response: Response) -> None:
        fault = self._faults.get(connection)
        if isinstance(fault, Subprotocol) and response.status_code == 101:
            del response.headers["Sec-WebSocket-Protocol"]
            if fault.name is not None:
                response.headers["Sec-WebSocket-Protocol"] = fault.name

    async def _converse(self, connection: ServerConnection) -> None:
        fault = self._faults.pop(connection, None)
        if isinstance(fault, CloseAtOnce):
            if fault.code is None:
                reset(connection.transport)
            else:
                await connection.close(fault.code, fault.reason)
            return
        if connection.subprotocol is None:
            return  # OCPP-J 1.6 §3.2: no version in common, so the connection is closed after the handshake
        assert connection.request is not None
        station = self.station(_identity(connection.request))
        if station.conversation is not None:
            # A station that dials again has lost its old connection, whatever TCP still thinks.
            reset(station.conversation.connection.transport)
        station.connections += 1
        conversation = Conversation(
            station.identity, station.connections, connection, station.log, station.problems, self
        )
        station.begin(conversation)
        try:
            await conversation.listen()
        finally:
            station.end(conversation)
            await conversation.finish()

    def _knows_password(self, identity: str, headers: Headers) -> bool:
        scheme, _, credentials = headers.get("Authorization", "").partition(" ")
        expected = self.password.encode() if isinstance(self.password, str) else self.password
        try:
            decoded = base64.b64decode(credentials, validate=True)
        except binascii.Error:
            return False
        return scheme == "Basic" and decoded == identity.encode() + b":" + (expected or b"")


def _select(_connection: ServerConnection, offered: Sequence[SubprotocolName]) -> SubprotocolName | None:
    return next((name for name in offered if name == SUBPROTOCOL), None)


def _identity(request: Request) -> str:
    return unquote(urlsplit(request.path).path.rpartition("/")[2])


def _attempt(request: Request) -> Attempt:
    headers = request.headers
    return Attempt(
        asyncio.get_running_loop().time(),
        request.path,
        ", ".join(headers.get_all("Sec-WebSocket-Protocol")),
        headers.get("Authorization", ""),
        dict(headers.raw_items()),
    )


def _response(connection: ServerConnection, refusal: Refuse) -> Response:
    response = connection.respond(refusal.status, refusal.body)
    for name, value in refusal.headers.items():
        response.headers[name] = value
    return response
