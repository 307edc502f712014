"""A station of two EVSEs with its journal and its pump: for tests of what surrounds the core."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from agent.charging import effects as ef
from agent.charging import events as ev
from agent.charging import variables as v
from agent.charging.device_model import DeviceModel, Source, VariableId
from agent.charging.meter_values import MEASURANDS, MeterReading
from agent.charging.policy import Policy
from agent.charging.reports import Report
from agent.charging.station import Restored, Station
from agent.charging.types import (
    ConnectorSpec,
    EvseSpec,
    IdToken,
    PilotState,
    RegistrationStatus,
)
from agent.clock import Clock
from agent.pump import Pump
from agent.store.database import Database
from agent.store.journal import Bounds, Journal

from .moving_time import MovingTime, until

ANNA = IdToken("ANNA")
ACCEPTED = ev.BootAnswered(RegistrationStatus.ACCEPTED, 86_400)


class IdealHardware:
    """Answers with the loop's next step, as the real one; `orders` keeps what it was told and what was durable then."""

    def __init__(self, bench: StationBench) -> None:
        self._bench = bench
        self.orders: list[ef.Effect] = []
        self.durable_at_close: list[list[str]] = []
        self.register_wh = 1000.0

    def carry_out(self, effect: ef.Effect) -> None:
        self.orders.append(effect)
        answer: ev.Event | None = None
        match effect:
            case ef.CloseContactor():
                self.durable_at_close.append(self._bench.may_be_sent())
                answer = ev.ContactorChanged(effect.evse_id, closed=True)
            case ef.OpenContactor():
                answer = ev.ContactorChanged(effect.evse_id, closed=False)
            case ef.SelfCheck():
                answer = ev.SelfChecked(effect.evse_id)
            case ef.ReadMeter():
                reading = MeterReading(self._bench.clock.utc_ms(), self.register_wh)
                answer = ev.MeterRead(effect.evse_id, effect.purpose, effect.due_ms, reading)
        if answer is not None:
            asyncio.get_running_loop().call_soon(self._bench.pump.apply, answer)

    def of(self, kind: type[ef.Effect]) -> list[ef.Effect]:
        return [order for order in self.orders if isinstance(order, kind)]

    @property
    def closed(self) -> bool:
        contactor = [order for order in self.orders if isinstance(order, ef.CloseContactor | ef.OpenContactor)]
        return bool(contactor) and isinstance(contactor[-1], ef.CloseContactor)


class RecordingUplink:
    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.woken = 0

    def submit(self, report: Report) -> None:
        self.reports.append(report)

    def wake(self) -> None:
        self.woken += 1

    def of(self, kind: type[Report]) -> list[Report]:
        return [report for report in self.reports if isinstance(report, kind)]


class StationBench:
    """A station between ideal hardware and a real journal."""

    def __init__(self, path: Path, time: MovingTime, *, database: Database | None = None) -> None:
        self.time = time
        self.wall_s = 1_800_000_000.0
        ids = itertools.count(1)
        self.database = database or Database.open(path).database
        self.journal = Journal(self.database, lambda: f"m{next(ids)}", lambda: Bounds(20_000, 16_000_000, 100))
        self.clock = Clock(self.journal.last_known_ms, monotonic=time.mono_s, wall=self._wall_s)
        self.journal.begin_boot(self.clock.utc_ms())
        specs = (
            EvseSpec(1, (ConnectorSpec(1, "cType2"),), 32.0, 3),
            EvseSpec(2, (ConnectorSpec(1, "sType2"),), 32.0, 3, has_lock=True),
        )
        variables = v.station_variables(specs, vendor="Acme", model="AC22", serial_number="", firmware_version="")
        self.model = DeviceModel(variables, v.measurand_items(MEASURANDS))
        restored = Restored(self.journal.transactions, ever_accepted=True)
        self.settings_changed: list[object] = []
        self.restarts = 0
        self.station = Station(
            specs,
            Policy(self.model),
            self.clock.now(),
            new_id=lambda: f"t{next(ids)}",
            jitter=lambda: 0.5,
            restored=restored,
        )
        self.hardware = IdealHardware(self)
        self.pump = Pump(
            self.station, self.model, self.journal, self.clock, self.settings_changed.append, self._restart
        )
        self._gates: list[threading.Event] = []

    def _wall_s(self) -> float:
        return self.wall_s + self.time.mono_s()

    def _restart(self, _order: ef.Restart) -> None:
        self.restarts += 1

    def in_file(self) -> list[str]:
        """The kinds of the reports in the file."""
        rows: list[tuple[str]] = self.database.read(
            lambda c: c.execute("SELECT kind FROM queue ORDER BY seq").fetchall()
        )
        return [kind for (kind,) in rows]

    def may_be_sent(self) -> list[str]:
        """The kinds of the reports that the journal has found durable, or the disk unable to take."""
        return [row.kind for row in self.journal._queue._window]

    def hold_the_disk(self) -> Callable[[], None]:
        """Let the disk take its time, until the returned is called."""
        gate = threading.Event()
        self._gates.append(gate)
        self.database.run(lambda _connection: gate.wait(10), durable=False)
        return gate.set

    def break_the_disk(self, broken: bool) -> None:
        def switch(connection: sqlite3.Connection) -> None:
            connection.execute(f"PRAGMA query_only={'ON' if broken else 'OFF'}")

        self.database.read(switch)

    def set(self, variable: VariableId, value: object) -> None:
        assert self.model.set(variable, str(value), Source.STATION).accepted

    async def online(self) -> None:
        self.pump.apply(ev.LinkUp())
        self.pump.apply(ACCEPTED)
        await until(lambda: self.pump.drained)

    async def start_charging(self) -> None:
        self.plug_and_show_the_card()
        await until(lambda: self.hardware.closed)

    def plug_and_show_the_card(self) -> None:
        self.pump.apply(ev.PilotChanged(1, PilotState.C))
        self.station.request_start(ANNA, 1, self.clock.now())
        self.pump.settle()

    def close(self) -> None:
        for gate in self._gates:
            gate.set()
        self.pump.stop()
        self.database.close()


class PumpBench(StationBench):
    """The same, with nobody but a listener behind the pump."""

    def __init__(self, path: Path, time: MovingTime, *, database: Database | None = None) -> None:
        super().__init__(path, time, database=database)
        self.uplink = RecordingUplink()
        self.pump.connect(self.hardware, self.uplink, lambda report: report.kind != "Updated" or bool(report.values))
