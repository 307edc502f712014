"""The link: the one owner of every reason to dial the CSMS, and to dial it again, for ever.

Whatever ends a connection or an attempt at one comes back to the same loop: a clean close, an abort, a missing pong,
DNS, TLS, an HTTP status, a request of our own. It waits as `backoff` says and dials.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum

from agent.charging.value import Value
from agent.csms.backoff import Backoff, DialLimit
from agent.csms.diagnosis import Diagnosis, DiagnosisCode, DialFailed, Phase, diagnose
from agent.csms.dial import Established, Timeouts, dial, utc_now_ms
from agent.csms.idle import IdleCutoff
from agent.csms.inspection import Inspector
from agent.csms.target import Target
from agent.csms.tcp import SYSTEM_NETWORK, Network
from agent.csms.websocket import Connection

logger = logging.getLogger(__name__)

HISTORY_LENGTH = 20

_NORMAL = 1000
_GOING_AWAY = 1001
_ENDED_BY_OTHERS = frozenset({DiagnosisCode.CLOSED_BY_PEER, DiagnosisCode.CONNECTION_LOST})
_CLOSE_WITHIN_S = 1.5


class LinkPhase(StrEnum):
    """What the link is doing."""

    IDLE = "idle"
    """There is nothing to dial: no CSMS is configured, or `run` is not running."""
    DIALING = "dialing"
    OPEN = "open"
    WAITING = "waiting"


class LinkStatus(Value):
    """The link at one moment, for people and for `status`."""

    phase: LinkPhase
    url: str
    """Of the open connection, empty without one."""
    address: str
    subprotocol: str
    connected_since_utc_ms: int | None
    heard_s_ago: float | None
    """Seconds since the last frame, None when not connected."""
    latency_s: float | None
    bytes_received: int
    bytes_sent: int
    """Over all connections since the start."""
    ping_interval_s: float
    """In use: WebSocketPingInterval, or less where silences have been seen to end connections; 0: none."""
    server_chain_expires_utc_ms: int | None
    """Of the last TLS connection."""
    attempts: int
    """Dial attempts since the last open connection."""
    attempts_last_minute: int
    next_attempt_in_s: float | None
    """None unless waiting."""
    last_diagnosis: Diagnosis | None
    history: tuple[Diagnosis, ...]
    """The latest ends and failures, oldest first."""


class LinkEvents(Value):
    """Whom the link calls, from the event loop."""

    on_open: Callable[[Connection], None]
    """A connection is open; nothing has been received over it yet. `on_down` follows once."""
    on_text: Callable[[str], None]
    on_binary: Callable[[bytes], None]
    on_down: Callable[[Diagnosis], None]
    """A connection ended, or an attempt failed."""


class Link:
    """Keeps a connection to the CSMS.

    Args:
        target_source: whom to dial now, asked before every attempt; None when there is nobody. It must not raise.
        events: whom to call.
        backoff: the waits; its settings may be changed at any time.
        ping_interval_s: WebSocketPingInterval.
        network, timeouts, mono_s, utc_ms: the outside, replaceable.
    """

    def __init__(
        self,
        target_source: Callable[[], Target | None],
        events: LinkEvents,
        backoff: Backoff | None = None,
        *,
        ping_interval_s: float = 0.0,
        network: Network = SYSTEM_NETWORK,
        timeouts: Timeouts | None = None,
        mono_s: Callable[[], float] = time.monotonic,
        utc_ms: Callable[[], int] = utc_now_ms,
    ) -> None:
        self.backoff = backoff or Backoff(10.0, 10.0, 5, random.random)
        self._target_source = target_source
        self._events = events
        self._ping_interval_s = ping_interval_s
        self._idle = IdleCutoff()
        self._network = network
        self._timeouts = timeouts
        self._mono_s = mono_s
        self._utc_ms = utc_ms
        self._limit = DialLimit()
        self._inspector = Inspector(self._limit, mono_s)
        self._wake = asyncio.Event()
        self._stopping = False
        self._redial_wait_s: float | None = None
        self._dialing: asyncio.Task[Established] | None = None
        self._connection: Connection | None = None
        self._finished: asyncio.Event | None = None
        self._phase = LinkPhase.IDLE
        self._attempts = 0
        self._connected_since_utc_ms: int | None = None
        self._chain_expires_utc_ms: int | None = None
        self._next_attempt_s = 0.0
        self._bytes_received = 0
        self._bytes_sent = 0
        self._history: deque[Diagnosis] = deque(maxlen=HISTORY_LENGTH)

    async def run(self) -> None:
        """Dials, and dials again, until `stop`. Cancelling it aborts the connection."""
        self._finished = asyncio.Event()
        try:
            while not self._stopping:
                await self._once()
        finally:
            self._phase = LinkPhase.IDLE
            self._finished.set()

    async def stop(self) -> None:
        """Ends `run` within two seconds: with close code 1001 when connected, at once when not."""
        self._stopping = True
        self._wake.set()
        self._give_up(_GOING_AWAY, "the station stops")
        if self._finished is not None:
            await self._finished.wait()

    def kick(self) -> None:
        """Dials now instead of waiting on: the network came up, a target appeared. Within ten attempts a minute."""
        self._next_attempt_s = self._mono_s()
        self._wake.set()

    def redial(self, reason: str, wait_s: float = 0.0) -> None:
        """Gives up the connection, or the attempt at one, and dials anew, asking for the target again.

        Args:
            reason: for the diagnosis and the CSMS: "new credentials".
            wait_s: how long to stay away first, for a CSMS that refused the BootNotification until later. `kick`
                ends this wait too.
        """
        self._redial_wait_s = wait_s
        self._next_attempt_s = self._mono_s() + wait_s
        self._wake.set()
        self._give_up(_NORMAL, reason)

    def set_ping_interval(self, ping_interval_s: float) -> None:
        """Changes WebSocketPingInterval, for the open connection too; 0 switches our pings off."""
        self._ping_interval_s = ping_interval_s
        if self._connection is not None:
            self._connection.set_ping_interval(self._idle.ping_interval_s(ping_interval_s))

    @property
    def connection(self) -> Connection | None:
        """The open connection."""
        return self._connection

    def status(self) -> LinkStatus:
        """What is going on."""
        now_s = self._mono_s()
        connection = self._connection
        return LinkStatus(
            phase=self._phase,
            url=connection.url if connection else "",
            address=connection.address if connection else "",
            subprotocol=connection.subprotocol if connection else "",
            connected_since_utc_ms=self._connected_since_utc_ms,
            heard_s_ago=now_s - connection.last_heard_mono_s if connection else None,
            latency_s=connection.latency_s if connection else None,
            bytes_received=self._bytes_received + (connection.bytes_received if connection else 0),
            bytes_sent=self._bytes_sent + (connection.bytes_sent if connection else 0),
            ping_interval_s=self._idle.ping_interval_s(self._ping_interval_s),
            server_chain_expires_utc_ms=self._chain_expires_utc_ms,
            attempts=self._attempts,
            attempts_last_minute=self._limit.in_last_minute(now_s),
            next_attempt_in_s=self._due_in_s() if self._phase is LinkPhase.WAITING else None,
            last_diagnosis=self._history[-1] if self._history else None,
            history=tuple(self._history),
        )

    async def _once(self) -> None:
        await self._until_due()
        if self._stopping:
            return
        target = self._target_source()
        if target is not None:
            await self._attempt(target)
        else:
            self._phase = LinkPhase.IDLE
            await self._wake.wait()

    async def _until_due(self) -> None:
        while not self._stopping and (wait_s := self._due_in_s()) > 0:
            self._phase = LinkPhase.WAITING
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
        self._wake.clear()

    def _due_in_s(self) -> float:
        # No kick lifts the ceiling on attempts per minute.
        now_s = self._mono_s()
        return max(0.0, self._next_attempt_s - now_s, self._limit.wait_s(now_s))

    def _give_up(self, close_code: int, reason: str) -> None:
        if self._dialing is not None:
            self._dialing.cancel()
        if self._connection is not None:
            self._connection.start_closing(close_code, reason, _CLOSE_WITHIN_S)

    async def _attempt(self, target: Target) -> None:
        """Dials once, serves the connection to its end, and settles when to dial again."""
        self._redial_wait_s = None
        diagnosis: Diagnosis | None = None
        try:
            diagnosis = await self._serve(await self._dial(target))
        except DialFailed as error:
            logger.warning("no connection to the CSMS: %s", error)
            diagnosis = error.diagnosis
        except Exception as error:  # whatever goes wrong on the way, the station dials again
            logger.exception("the link failed")
            diagnosis = diagnose(
                DiagnosisCode.CONNECT_FAILED, Phase.TCP, f"internal error: {type(error).__name__}", self._utc_ms()
            )
        except asyncio.CancelledError:
            # `stop` and `redial` cancel the dial only; whoever cancels `run` means it.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
        if self._redial_wait_s is None:
            wait_s = self.backoff.next_wait_s(diagnosis.retry_after_s if diagnosis else None)
            self._next_attempt_s = self._mono_s() + wait_s
        if diagnosis is not None:
            self._history.append(diagnosis)
            try:
                self._events.on_down(diagnosis)
            except Exception:  # as above
                logger.exception("the end of a connection was not taken in")

    async def _dial(self, target: Target) -> Established:
        self._phase = LinkPhase.DIALING
        self._attempts += 1
        self._limit.attempted(self._mono_s())
        task = asyncio.create_task(
            dial(target, self._inspector, network=self._network, timeouts=self._timeouts, utc_ms=self._utc_ms)
        )
        self._dialing = task
        try:
            return await task
        except asyncio.CancelledError:
            if task.done() and not task.cancelled() and task.exception() is None:
                task.result().transport.abort()
            raise
        finally:
            self._dialing = None

    async def _serve(self, established: Established) -> Diagnosis:
        connection = Connection(
            established,
            self._events.on_text,
            self._events.on_binary,
            ping_interval_s=self._idle.ping_interval_s(self._ping_interval_s),
            mono_s=self._mono_s,
            utc_ms=self._utc_ms,
        )
        self._connection = connection
        self._phase = LinkPhase.OPEN
        self._attempts = 0
        self._connected_since_utc_ms = self._utc_ms()
        if connection.tls is not None:
            self._chain_expires_utc_ms = connection.tls.chain_expires_utc_ms
        logger.info("connected to %s (%s), %s", connection.url, connection.address, connection.subprotocol)
        try:
            self._events.on_open(connection)
            connection.start()
            if self._stopping or self._redial_wait_s is not None:
                # Asked for between the end of the dial and now.
                connection.start_closing(_GOING_AWAY, "not needed any more", _CLOSE_WITHIN_S)
            diagnosis = await connection.wait_closed()
        finally:
            connection.abort("the station stops")
            self._connection = None
            self._connected_since_utc_ms = None
            self._bytes_received += connection.bytes_received
            self._bytes_sent += connection.bytes_sent
        stable_for_s = self._mono_s() - connection.opened_mono_s
        self.backoff.succeeded(stable_for_s)
        if diagnosis.code in _ENDED_BY_OTHERS and self._idle.ended(connection.silent_s):
            logger.warning("connections end after %.0f s of silence; pinging sooner from now on", self._idle.cutoff_s)
        level = logging.INFO if diagnosis.code is DiagnosisCode.CLOSED_LOCALLY else logging.WARNING
        logger.log(
            level, "connection to the CSMS ended after %.0f s: %s: %s", stable_for_s, diagnosis.code, diagnosis.seen
        )
        return diagnosis
