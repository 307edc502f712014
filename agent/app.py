"""The composition root: from a configuration to a running station, and back to nothing within five seconds."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import signal
import uuid
from collections.abc import Coroutine, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from agent import __version__
from agent.board import board_spec
from agent.charging.effects import Restart, SaveAvailability
from agent.charging.events import FaultRaised
from agent.charging.policy import Policy
from agent.charging.reported import report_states
from agent.charging.station import Restored, Station
from agent.charging.types import EvseSpec, Fault
from agent.charging.variables import (
    BLINK_REPEAT,
    LIGHT_INTENSITY,
    QUEUE_MAX_BYTES,
    QUEUE_MAX_ROWS,
    RETRY_BACK_OFF_RANDOM_RANGE,
    RETRY_BACK_OFF_REPEAT_TIMES,
    RETRY_BACK_OFF_WAIT_MINIMUM,
    STOP_TRANSACTION_MAX_METER_VALUES,
    WEB_SOCKET_PING_INTERVAL,
    measurand_items,
)
from agent.clock import Clock
from agent.config import AgentConfig, device_model, evse_spec
from agent.csms.backoff import Backoff
from agent.csms.connection import Link, LinkEvents
from agent.csms.diagnosis import Diagnosis, DiagnosisCode
from agent.csms.uplink import Uplink
from agent.errors import StoreError
from agent.hardware import Hardware
from agent.local.notify import notify, watchdog_interval_s
from agent.local.server import LocalServer
from agent.ocpp.timestamps import format_utc_ms
from agent.ocpp.v16.adapter import Adapter16, StationIdentity
from agent.ocpp.v16.configuration import ConfigurationKeys
from agent.provisioned import Provisioned
from agent.pump import Pump
from agent.restart import failure_before
from agent.store.database import Database
from agent.store.journal import Bounds, Journal

logger = logging.getLogger(__name__)

# From SIGTERM to the exit in 5 s, of which the transactions may take so much to end.
_ENDING_S = 1.5
# And so much the hardware to be closed, whatever hangs in it.
_CLOSING_S = 1.5
# How long a reset waits for the CSMS to hear of the transactions that it ends (1.6 §5.14).
_DELIVERY_S = 10.0


class Exit(StrEnum):
    """Why a run of the agent is over."""

    STOPPED = "stopped"
    RESET = "reset"
    REBOOT = "reboot"
    """A reset, too, but one of the controller (1.6 §5.14: hard)."""


class Agent:
    """One run of the agent."""

    def __init__(self, config: AgentConfig, state_dir: Path, firmware_version: str) -> None:
        self._config = config
        self._state_dir = state_dir
        self.model = device_model(config, firmware_version)
        station = config.station
        self.identity = StationIdentity(
            station.vendor, station.model, station.serial_number, station.firmware_version or firmware_version
        )
        self.over = asyncio.Event()
        self.exit = Exit.STOPPED

    def stop(self, why: Exit = Exit.STOPPED) -> None:
        """End the run. Idempotent: the first reason counts."""
        if not self.over.is_set():
            self.exit = why
            self.over.set()

    async def run(self, *, signals: bool = True) -> Exit:
        """Runs until stopped. Raises ProvisioningError, or BoardConfigError where the driver cannot take its table."""
        if signals:
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, self.stop)
        provisioned = Provisioned.open(self._state_dir, self._config, self.model)
        try:
            journal = self._open_journal()
            try:
                await self._run(provisioned, journal)
            finally:
                journal.close()
        finally:
            provisioned.close()
        return self.exit

    # --- what the hardware asks of the configuration ------------------------------------------------------------------

    @property
    def intensity_percent(self) -> int:
        return self.model.integer(LIGHT_INTENSITY)

    @property
    def blink_repeat(self) -> int:
        return self.model.integer(BLINK_REPEAT)

    # --- composition --------------------------------------------------------------------------------------------------

    def _open_journal(self) -> Journal:
        """Charging never depends on what the file holds: damaged it is set aside, impossible it is done without."""
        path = self._state_dir / "station.db"
        try:
            opened = Database.open(path)
            try:
                journal = Journal(opened.database, _new_id, self._bounds)
            except (StoreError, ValueError, LookupError, TypeError) as error:
                # A sound file with contents that are not ours.
                logger.error("the store cannot be understood: %s", error)  # noqa: TRY400 - no bug of ours
                opened.database.close()
                opened = Database.replace(path)
                journal = Journal(opened.database, _new_id, self._bounds)
        except StoreError as error:
            logger.error("no durable store, continuing in memory: %s", error)  # noqa: TRY400 - no bug of ours
            return Journal(Database.in_memory(), _new_id, self._bounds)
        if opened.set_aside is not None:
            logger.error("the store was damaged; it is kept as %s and a new one begun", opened.set_aside)
        return journal

    async def _run(self, provisioned: Provisioned, journal: Journal) -> None:
        model = self.model
        clock = Clock(journal.last_known_ms)
        logger.info(
            "evse-agent %s starts: %s, %d EVSE(s), state in %s",
            __version__,
            provisioned.csms.identity,
            len(self._config.evses),
            self._state_dir,
        )
        if not provisioned.csms.url:
            logger.warning("no CSMS is configured: set csms.url with evse-provision")
        journal.begin_boot(clock.utc_ms())
        journal.meet_csms(provisioned.csms_name)
        hardware = Hardware(clock.now, self)
        try:
            if not await self._unless_over(hardware.open(board_spec(self._config, self._state_dir))):
                return
            for variable in model.support_measurands(measurand_items(hardware.measurands)):
                logger.warning("%s asks for measurands that the meters do not give", variable)
            station = Station(
                self._evses(hardware),
                Policy(model),
                clock.now(),
                new_id=_new_id,
                jitter=random.random,
                restored=Restored(journal.transactions, provisioned.inoperative, journal.cache, journal.registered),
            )
            run = _Run(self, station, journal, clock, hardware, provisioned)
            hardware.listen(run.pump.apply)
            model.on_change(LIGHT_INTENSITY, lambda _variable: hardware.relight())
            await run.serve(self._state_dir / "agent.sock")
        finally:
            try:
                async with asyncio.timeout(_CLOSING_S):
                    await hardware.close()
            except TimeoutError:
                logger.critical("the hardware did not close in time")
            await journal.flush()

    async def _unless_over(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do it; False: the agent was stopped meanwhile."""
        doing, over = asyncio.ensure_future(work), asyncio.ensure_future(self.over.wait())
        try:
            await asyncio.wait((doing, over), return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                return False
            doing.result()
            return True
        finally:
            for task in (doing, over):
                task.cancel()
            await asyncio.gather(doing, over, return_exceptions=True)

    def _evses(self, hardware: Hardware) -> list[EvseSpec]:
        return [evse_spec(evse)._replace(has_lock=evse.id in hardware.locks) for evse in self._config.evses]

    def _bounds(self) -> Bounds:
        integer = self.model.integer
        return Bounds(integer(QUEUE_MAX_ROWS), integer(QUEUE_MAX_BYTES), integer(STOP_TRANSACTION_MAX_METER_VALUES))


class _Run:
    """The parts that live while the hardware is open, and how they hang together."""

    def __init__(
        self,
        agent: Agent,
        station: Station,
        journal: Journal,
        clock: Clock,
        hardware: Hardware,
        provisioned: Provisioned,
    ) -> None:
        self._agent = agent
        self._station = station
        self._journal = journal
        self._clock = clock
        self._provisioned = provisioned
        self._hardware = hardware
        self._model = model = agent.model
        self._reset = asyncio.Event()
        report_states(model, station, lambda: format_utc_ms(clock.utc_ms()))
        self._reset_as = Exit.RESET
        self._ping_interval_s = 0
        adapter = Adapter16(station, model, ConfigurationKeys(model), journal, agent.identity)
        self.pump = Pump(station, model, journal, clock, self._settings_changed, self._reset_ordered)
        self._uplink = Uplink(self.pump, adapter, journal, model, _new_id)
        self.pump.connect(hardware, self._uplink, adapter.carries)
        self._link = Link(
            provisioned.target,
            LinkEvents(self._uplink.opened, self._uplink.text_received, self._uplink.binary_received, self._down),
            Backoff(0, 0, 0, random.random),
            utc_ms=clock.utc_ms,
        )
        self._use_link_settings()

    # --- reactions ----------------------------------------------------------------------------------------------------

    def _down(self, diagnosis: Diagnosis) -> None:
        self._uplink.closed(too_big=diagnosis.code is DiagnosisCode.MESSAGE_TOO_BIG)

    def _settings_changed(self, availability: SaveAvailability | None) -> None:
        if availability is not None:
            self._provisioned.save_availability(availability)
            return
        self._use_link_settings()
        self._uplink.wake()
        if self._provisioned.save_variables():
            # The CSMS that asked for it first gets its answer.
            asyncio.get_running_loop().call_soon(self._link.redial, "the connection settings have changed")

    def _use_link_settings(self) -> None:
        integer = self._model.integer
        backoff = self._link.backoff
        backoff.wait_minimum_s = integer(RETRY_BACK_OFF_WAIT_MINIMUM)
        backoff.random_range_s = integer(RETRY_BACK_OFF_RANDOM_RANGE)
        backoff.repeat_times = integer(RETRY_BACK_OFF_REPEAT_TIMES)
        ping_interval_s = integer(WEB_SOCKET_PING_INTERVAL)
        if ping_interval_s != self._ping_interval_s:
            self._ping_interval_s = ping_interval_s
            self._link.set_ping_interval(ping_interval_s)

    def _apply_profile(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The technician's tool hands over a site profile."""
        before = self._provisioned.csms
        answer = self._provisioned.apply(request, self._clock.utc_ms())
        if self._provisioned.csms != before:
            if self._provisioned.csms_name != self._journal.csms:
                self._journal.meet_csms(self._provisioned.csms_name)
                self._station.csms_changed(self.pump.now())
            self._link.redial("the connection settings have changed")
            self._link.kick()
        self.pump.settle()
        return answer

    async def _resend(self, _request: Mapping[str, Any]) -> dict[str, Any]:
        """A person wants what the CSMS refused to be sent once more."""
        try:
            count = await self._journal.resend()
        except StoreError as error:
            return {"ok": False, "error": str(error)}
        self._uplink.wake()
        return {"ok": True, "reports": count}

    def _status(self, _request: Mapping[str, Any]) -> dict[str, Any]:
        from agent.local.status import status  # noqa: PLC0415 - asked for now and then

        return status(
            self._station, self._journal, self._link.status(), self._uplink.traffic, self._provisioned.csms, self._clock
        )

    # --- life ---------------------------------------------------------------------------------------------------------

    async def serve(self, socket: Path) -> None:
        """Everything at work, until the agent is to stop."""
        # What ended with the last run was stamped by that run's clock.
        self.pump.recover(self._journal.boot - 1)
        if failure := failure_before():
            self.pump.apply(FaultRaised(0, Fault("ResetFailure", "RebootFailed", failure, blocking=False)))
        local = LocalServer(socket, {"status": self._status, "apply": self._apply_profile, "resend": self._resend})
        try:
            await local.open()
        except OSError as error:
            logger.warning("no local socket, so no status: %s", error)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._uplink.run(), name="uplink"),
                    group.create_task(self._link.run(), name="link"),
                    group.create_task(self._reset_when_ordered(), name="reset"),
                    group.create_task(_tell_systemd(), name="systemd"),
                    group.create_task(self._hardware.keep_watchdog(), name="watchdog"),
                ]
                await self._agent.over.wait()
                if self._agent.exit is Exit.STOPPED:
                    notify("STOPPING=1")  # a program that replaces itself does not stop
                await self._wind_up()
                await self._link.stop()
                for task in tasks:
                    task.cancel()
        finally:
            self.pump.stop()
            await local.close()

    def _reset_ordered(self, order: Restart) -> None:
        self._reset_as = Exit.REBOOT if order.immediate else Exit.RESET
        self._reset.set()

    async def _reset_when_ordered(self) -> None:
        await self._reset.wait()
        logger.warning("reset: giving the CSMS up to %.0f s to hear of what has ended", _DELIVERY_S)
        try:
            async with asyncio.timeout(_DELIVERY_S):
                await self.pump.until(
                    lambda: self.pump.drained and (not self._journal.rows or self._link.connection is None)
                )
        except TimeoutError:
            logger.warning("reset: %d reports stay in the queue", self._journal.rows)
        self._agent.stop(self._reset_as)

    async def _wind_up(self) -> None:
        """No transaction is left running without its agent, and what is durable is on the disk."""
        self._station.request_shutdown(self.pump.now())
        self.pump.settle()
        try:
            async with asyncio.timeout(_ENDING_S):
                await self.pump.until(lambda: self._station.idle and self.pump.drained)
        except TimeoutError:
            logger.warning("a transaction did not end in time; the next start ends it")


def _new_id() -> str:
    return str(uuid.uuid4())


async def _tell_systemd() -> None:
    """Ready, and then alive for as long as the event loop turns."""
    notify("READY=1")
    # What has been made until now stays until the end; it need not be looked through again and again.
    gc.freeze()
    gc.enable()
    interval_s = watchdog_interval_s()
    while interval_s is not None:
        notify("WATCHDOG=1")
        await asyncio.sleep(interval_s)
