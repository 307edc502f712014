"""The devices that belong to no EVSE, and the supervisor that asks every EVSE to open when one of them calls for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hal.access import Access
from hal.active_faults import ActiveFaults
from hal.deadline import within
from hal.driver import Shared
from hal.failures import Device, Failures
from hal.faults import FAULTS, FaultCode, VendorCode
from hal.interfaces.display import Display
from hal.interfaces.emergency_stop import EmergencyStop
from hal.interfaces.id_token_reader import IdTokenReader
from hal.interfaces.tamper import Tamper
from hal.interfaces.watchdog import Watchdog
from hal.signals import EmergencyStopSignal, FaultSignal, Signal, TamperSignal
from hal.spec import Timing
from hal.value import Value


class StationParts(Value):
    """What there is; None where there is none."""

    emergency_stop: Access[EmergencyStop] | None
    tamper: Access[Tamper] | None
    readers: tuple[Access[IdTokenReader], ...]
    display: Access[Display] | None
    watchdog: Access[Watchdog] | None


class StationHardware:
    """The station's own hardware. What watches over safety and does not work is a fault of the station.

    trip_all: opens every contactor. forward: gets every signal that is news. display, watchdog: None if there is none.
    """

    def __init__(
        self, parts: StationParts, timing: Timing, trip_all: Callable[[], None], forward: Callable[[Signal], None]
    ) -> None:
        self._parts = parts
        self._device_s = timing.device_s
        self._trip_all = trip_all
        self._forward = forward
        self._faults = ActiveFaults()
        self._stop_pressed = False
        self._failures = Failures(0, timing, self.receive)
        self.display = StationDisplay(parts.display, timing.device_s) if parts.display else None
        self.watchdog = StationWatchdog(parts.watchdog, timing.device_s) if parts.watchdog else None

    async def open_media(self, media: tuple[Access[Shared], ...]) -> None:
        """Open what parts share. One that does not open is tried again, and so are its parts, whose fault it is.

        Raises BoardConfigError.
        """
        for medium in media:
            await self._failures.open(Device(f"shared {medium.name}", medium, None, "", self._device_s))

    async def start(self) -> None:
        """Open the devices and read the switches. What fails comes as a fault. Raises BoardConfigError."""
        for device in self._devices():
            if await self._failures.open(device):
                await self._failures.answers(device, device.probe)

    async def stop(self) -> None:
        """Try no more to open what is away."""
        await self._failures.stop()

    def receive(self, signal: Signal) -> None:
        """A device reports: make it safe first, then pass on what is news."""
        if isinstance(signal, EmergencyStopSignal):
            if signal.pressed:
                self._trip_all()
            if signal.pressed == self._stop_pressed:
                return
            self._stop_pressed = signal.pressed
        elif isinstance(signal, FaultSignal):
            if signal.active and FAULTS[signal.code].opens_contactor:
                self._trip_all()
            if not self._faults.apply(signal):
                return
        self._forward(signal)

    def interlock(self) -> str | None:
        """Why no contactor may be closed now; None if nothing at the station speaks against it."""
        if self._stop_pressed:
            return "the stop button is pressed"
        if fault := self._faults.blocking():
            return f"{fault} is active at the station"
        return None

    def _devices(self) -> Iterator[Device]:
        parts, timeout_s, broken = self._parts, self._device_s, FaultCode.INTERNAL_ERROR
        if button := parts.emergency_stop:
            yield Device(
                "stop button", button, broken, VendorCode.EMERGENCY_STOP_LOST, timeout_s, self._read_stop_button
            )
        if enclosure := parts.tamper:
            # Who opens the door is worth knowing, but no reason not to charge.
            yield Device("tamper switch", enclosure, None, "", timeout_s, self._read_tamper)
        for number, reader in enumerate(parts.readers, 1):
            yield Device(f"reader {number}", reader, FaultCode.READER_FAILURE, VendorCode.READER_LOST, timeout_s)
        if self.display and parts.display:
            yield Device("display", parts.display, None, "", timeout_s, self.display.restore)
        if parts.watchdog:
            yield Device("watchdog", parts.watchdog, broken, VendorCode.WATCHDOG_LOST, timeout_s)

    async def _read_stop_button(self) -> None:
        if self._parts.emergency_stop:
            self.receive(EmergencyStopSignal(await self._parts.emergency_stop.use().is_pressed()))

    async def _read_tamper(self) -> None:
        # A closed enclosure is no news: it is what everybody takes for granted.
        if self._parts.tamper and await self._parts.tamper.use().is_open():
            self.receive(TamperSignal(open=True))


class StationDisplay(Display):
    """The display for the agent: bounded in time, and what it was told while it was away it shows when it is back."""

    def __init__(self, access: Access[Display], timeout_s: float) -> None:
        self._access = access
        self._timeout_s = timeout_s
        self._lines: tuple[str, ...] | None = None

    async def show(self, lines: tuple[str, ...]) -> None:
        self._lines = lines
        await within(self._timeout_s, "display", self._access.use().show(lines))

    async def restore(self) -> None:
        """Show again what was to be shown last. Raises HalError."""
        if self._lines is not None:
            await self._access.use().show(self._lines)


class StationWatchdog(Watchdog):
    """The watchdog for the agent, bounded in time."""

    def __init__(self, access: Access[Watchdog], timeout_s: float) -> None:
        self._access = access
        self._timeout_s = timeout_s

    @property
    def timeout_s(self) -> float:
        return self._access.device.timeout_s

    async def kick(self) -> None:
        await within(self._timeout_s, "watchdog", self._access.use().kick())
