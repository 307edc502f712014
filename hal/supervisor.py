"""One EVSE's hardware, and the supervisor that keeps it safe without waiting for anyone.

The supervisor opens the contactor on every fault that calls for it, on a lost feedback or pilot, on a pilot that no
longer asks for energy, on the stop button and at the end. It closes it only when nothing speaks against it. It finds
welded contacts and devices that do not open or answer, and tries those again until they do; while all is well it does
nothing.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

from hal.access import Access
from hal.active_faults import ActiveFaults
from hal.deadline import within
from hal.errors import DeviceResponse, HalError, Interlocked, Unsupported
from hal.failures import Device, Failures
from hal.faults import FAULTS, FaultCode, VendorCode
from hal.interfaces.connector_lock import ConnectorLock
from hal.interfaces.contactor import Contactor
from hal.interfaces.control_pilot import MIN_OFFER_A, ControlPilot, PilotState
from hal.interfaces.energy_meter import EnergyMeter, MeterReading
from hal.interfaces.indicator import Indication, Indicator, Pattern
from hal.interfaces.residual_current import ResidualCurrent
from hal.interfaces.temperature import Temperature, TemperatureReading
from hal.power_path import PowerPath
from hal.signals import CableSignal, ContactorSignal, FaultSignal, PilotSignal, Signal
from hal.spec import EvseSpec, Timing
from hal.value import Value


class EvseParts(Value):
    """The devices of one EVSE. locks: by connector; fixed cables have none."""

    contactor: Access[Contactor]
    pilot: Access[ControlPilot]
    meter: Access[EnergyMeter]
    locks: dict[int, Access[ConnectorLock]]
    residual_current: Access[ResidualCurrent] | None = None
    temperature: Access[Temperature] | None = None
    indicator: Access[Indicator] | None = None


class EvseState(Value):
    """What the supervisor knows, without asking a device. contactor_closed None: its feedback is unknown."""

    pilot: PilotState
    connector_id: int
    contactor_closed: bool | None
    offered_current_a: float
    faults: tuple[FaultCode, ...]


class EvseHardware:
    """One EVSE, for the agent. Every method that talks to a device is bounded in time and raises HalError.

    The failure of a pilot, contactor, lock or meter is also signalled as a fault, before the error is raised. What is
    asked of a device that is not open raises DeviceUnavailable.
    """

    def __init__(
        self,
        spec: EvseSpec,
        parts: EvseParts,
        timing: Timing,
        forward: Callable[[Signal], None],
        station_interlock: Callable[[], str | None],
    ) -> None:
        self.evse_id = spec.id
        self._spec = spec
        self._parts = parts
        self._device_s = timing.device_s
        self._forward = forward
        self._station_interlock = station_interlock
        self._running = False
        self._pilot = PilotState.A
        self._connector_id = 1
        self._cables = {number: CableSignal(spec.id, number, present=False) for number in self._sockets()}
        self._offered_current_a = 0.0
        self._faults = ActiveFaults()
        self._indication: Indication | None = None
        self._failures = Failures(spec.id, timing, self._on_fault)
        self._power = PowerPath(
            parts.contactor.use, timing.contactor_s, self._interlock, self._on_contactor, self._on_contactor_fault
        )
        # One order of the agent at a time; opening the contactor never waits for it.
        self._sequence = asyncio.Lock()

        self._contactor_device = Device(
            "contactor",
            parts.contactor,
            FaultCode.POWER_SWITCH_FAILURE,
            VendorCode.CONTACTOR_LOST,
            3 * timing.contactor_s,  # the order, the feedback after it, and a margin
            self._power.reopen,
        )
        self._pilot_device = Device(
            "control pilot",
            parts.pilot,
            FaultCode.INTERNAL_ERROR,
            VendorCode.PILOT_LOST,
            timing.device_s,
            self._restore_pilot,
        )
        self._meter_device = Device(
            "meter", parts.meter, FaultCode.POWER_METER_FAILURE, VendorCode.METER_LOST, timing.meter_s, self._read_meter
        )
        self._lock_devices = {
            number: Device(
                f"lock of connector {number}",
                lock,
                FaultCode.CONNECTOR_LOCK_FAILURE,
                VendorCode.LOCK_LOST,
                timing.lock_s,
                _is_locked(lock),
            )
            for number, lock in parts.locks.items()
        }

    # --- what the agent asks for ---------------------------------------------------------------------------------

    async def close_contactor(self) -> None:
        """Close; return when the feedback says closed.

        Raises Interlocked while a fault is active, the stop button is pressed or the car does not ask for energy
        (pilot state C; D too where the place is ventilated).
        """
        async with self._sequence:
            await self._power.close()

    async def open_contactor(self) -> None:
        """Open; return when the feedback says open. Never waits for another order."""
        await self._power.open()

    async def set_offered_current(self, current_a: float) -> None:
        """Offer the car so much per phase, A, at most what the EVSE is built for; 0: not ready to supply.

        Raises Unsupported for what a control pilot cannot say: more than 0 and less than 6 A.
        """
        if not (current_a == 0 or current_a >= MIN_OFFER_A):
            raise Unsupported(f"a control pilot offers 0 or at least {MIN_OFFER_A:g} A, not {current_a:g} A")
        self._offered_current_a = float(min(current_a, self._spec.max_current_a))
        await self._failures.ask(self._pilot_device, self._offer)

    @property
    def has_lock(self) -> bool:
        """One of its connectors can be locked."""
        return bool(self._parts.locks)

    async def lock(self, connector_id: int = 1) -> None:
        """Lock the plug in; return when the feedback says so. Raises Unsupported where there is no lock."""
        lock = self._lock_of(connector_id)
        async with self._sequence:
            await self._failures.ask(self._lock_devices[connector_id], lambda: lock.use().lock())

    async def unlock(self, connector_id: int = 1) -> None:
        """Open the contactor, then release the plug; return when the latch's feedback says so.

        Raises Interlocked, and leaves the plug locked, while the contactor is not known to be open; Unsupported
        where there is no lock.
        """
        lock = self._lock_of(connector_id)
        async with self._sequence:
            try:
                await self._power.open()
            except HalError as error:
                raise Interlocked(f"connector {connector_id} stays locked: {error}") from error
            await self._failures.ask(self._lock_devices[connector_id], lambda: lock.use().unlock())

    async def locked(self, connector_id: int = 1) -> bool:
        """What the latch's feedback says. Raises Unsupported where there is no lock."""
        lock = self._lock_of(connector_id)
        return await self._failures.ask(self._lock_devices[connector_id], _is_locked(lock))

    @property
    def measurands(self) -> frozenset[str]:
        """What the meter can deliver, by OCPP's names."""
        return self._parts.meter.device.measurands

    async def read_meter(self) -> MeterReading:
        """A reading taken now. Raises HalError when the meter gives none, or one that cannot be true."""
        return await self._failures.ask(self._meter_device, self._read_meter)

    async def self_check(self) -> None:
        """Test what can be tested before a session. What fails comes as a fault; this does not raise."""
        async with self._sequence:
            await self._power.check()
            for number, lock in self._parts.locks.items():
                await self._failures.answers(self._lock_devices[number], _is_locked(lock))
            monitor = self._parts.residual_current
            # One that is not open is a fault already, and is tested as soon as it is.
            if monitor is not None and monitor.is_open and self._power.closed is False:
                device = self._monitor_device(monitor)._replace(vendor_code=VendorCode.RESIDUAL_CURRENT_TEST)
                await self._failures.answers(device, device.probe)

    async def read_temperature(self) -> TemperatureReading:
        """The temperature inside. Raises Unsupported without a sensor."""
        if self._parts.temperature is None:
            raise Unsupported(f"EVSE {self.evse_id} has no temperature sensor")
        return await within(self._device_s, "temperature sensor", self._parts.temperature.use().read())

    async def set_indicator(self, pattern: Pattern, intensity_percent: int = 100, repeat: int = 0) -> None:
        """Show this pattern; without a lamp nothing happens. repeat: so many times, then what was shown before."""
        if self._parts.indicator is not None:
            indication = Indication(pattern, intensity_percent, repeat)
            if repeat == 0:
                self._indication = indication
            await within(self._device_s, "indicator", self._parts.indicator.use().show(indication))

    def state(self) -> EvseState:
        """What is known now."""
        closed, faults = self._power.closed, self._faults.codes()
        return EvseState(self._pilot, self._connector_id, closed, self._offered_current_a, faults)

    # --- what the board tells it ---------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the devices and bring them into a known state: contactor open, no offer, pilot read.

        What fails comes as a fault. Raises BoardConfigError.
        """
        self._running = True
        if await self._failures.open(self._contactor_device):
            with suppress(HalError):
                await self._power.open()
        if await self._failures.open(self._pilot_device):
            await self._failures.answers(self._pilot_device, self._restore_pilot)
        for device in (*self._lock_devices.values(), self._meter_device, *self._sensors()):
            await self._failures.open(device)

    async def stop(self) -> None:
        """Open the contactor, offer nothing, close nothing any more. Raises HalError if it does not open."""
        self._running = False
        await self._failures.stop()
        try:
            await self._power.open()
        finally:
            self._offered_current_a = 0.0
            await self._failures.answers(self._pilot_device, self._offer)

    def trip(self) -> None:
        """Start to open the contactor, whatever asks for it. One that is not open yet is ordered to when it is."""
        if self._parts.contactor.is_open:
            self._power.trip()

    def receive(self, signal: PilotSignal | CableSignal | ContactorSignal | FaultSignal) -> None:
        """A driver reports: make it safe first, then pass on what is news."""
        if isinstance(signal, FaultSignal):
            self._on_fault(signal)
        elif isinstance(signal, PilotSignal):
            self._on_pilot(signal)
        elif isinstance(signal, ContactorSignal):
            self._power.feedback(signal.closed)
        elif self._cables.get(signal.connector_id) != signal:
            self._cables[signal.connector_id] = signal
            self._forward(signal)

    # --- reactions -----------------------------------------------------------------------------------------------

    def _interlock(self) -> str | None:
        if not self._running:
            return "the hardware is not in operation"
        if reason := self._station_interlock():
            return reason
        if fault := self._faults.blocking():
            return f"{fault} is active"
        if not self._asks_for_energy():
            return f"the pilot is in state {self._pilot}"
        return None

    def _asks_for_energy(self) -> bool:
        return self._pilot is PilotState.C or (self._pilot is PilotState.D and self._spec.ventilation)

    def _on_pilot(self, signal: PilotSignal) -> None:
        news = (signal.state, signal.connector_id) != (self._pilot, self._connector_id)
        self._pilot, self._connector_id = signal.state, signal.connector_id
        if not self._asks_for_energy():
            self.trip()
        if news:
            self._forward(signal)

    def _on_fault(self, signal: FaultSignal) -> None:
        news = self._faults.apply(signal)
        if signal.active and FAULTS[signal.code].opens_contactor:
            self.trip()
        if news:
            self._forward(signal)

    def _on_contactor(self, closed: bool) -> None:
        self._forward(ContactorSignal(self.evse_id, closed))

    def _on_contactor_fault(self, vendor_code: str, error: HalError) -> None:
        self._failures.fail(self._contactor_device._replace(vendor_code=vendor_code), error)

    # --- questions to devices ------------------------------------------------------------------------------------

    async def _offer(self) -> None:
        await self._parts.pilot.use().set_offered_current(self._offered_current_a)

    async def _restore_pilot(self) -> None:
        await self._offer()
        reading = await self._parts.pilot.use().read()
        connector_id = reading.connector_id
        if connector_id in self._cables:
            self.receive(CableSignal(self.evse_id, connector_id, reading.cable_present, reading.cable_rating_a))
        self.receive(PilotSignal(self.evse_id, reading.state, connector_id))

    async def _read_meter(self) -> MeterReading:
        reading = await self._parts.meter.use().read()
        if not (math.isfinite(reading.energy_import_wh) and reading.energy_import_wh >= 0):
            raise DeviceResponse(f"the energy register says {reading.energy_import_wh} Wh")
        return reading

    async def _test_monitor(self) -> None:
        monitor = self._parts.residual_current
        if self._power.closed is not False:
            raise Interlocked("the contactor is not known to be open")
        if monitor is not None:
            await monitor.use().self_test()

    async def _restore_indicator(self) -> None:
        if self._parts.indicator is not None and self._indication is not None:
            await self._parts.indicator.use().show(self._indication)

    # --- what there is -------------------------------------------------------------------------------------------

    def _monitor_device(self, monitor: Access[ResidualCurrent]) -> Device:
        lost = FaultCode.INTERNAL_ERROR, VendorCode.RESIDUAL_CURRENT_LOST
        return Device("residual current monitor", monitor, *lost, self._device_s, self._test_monitor)

    def _sensors(self) -> Iterator[Device]:
        """What is opened at the start and not asked before it is needed."""
        if monitor := self._parts.residual_current:
            yield self._monitor_device(monitor)
        if sensor := self._parts.temperature:
            lost = FaultCode.INTERNAL_ERROR, VendorCode.TEMPERATURE_LOST
            yield Device("temperature sensor", sensor, *lost, self._device_s)
        if indicator := self._parts.indicator:
            yield Device("indicator", indicator, None, "", self._device_s, self._restore_indicator)

    def _sockets(self) -> list[int]:
        return [number for number, kind in enumerate(self._spec.connectors, 1) if kind.startswith("s")]

    def _lock_of(self, connector_id: int) -> Access[ConnectorLock]:
        if connector_id not in self._parts.locks:
            raise Unsupported(f"connector {connector_id} of EVSE {self.evse_id} has no lock")
        return self._parts.locks[connector_id]


def _is_locked(lock: Access[ConnectorLock]) -> Callable[[], Awaitable[bool]]:
    return lambda: lock.use().is_locked()
