"""The simulated station: what people can do to it, in the words of the control socket, and what it looks like."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from types import EllipsisType

from hal.drivers.mock.control import ControlSocket
from hal.drivers.mock.errors import MockError
from hal.drivers.mock.evse import EvseModel, SimulatedEvse
from hal.drivers.mock.register import RegisterFile
from hal.drivers.mock.requests import (
    FAIL_MODES,
    FAIL_PARTS,
    FIRMWARE_OUTCOMES,
    TOKEN_TYPES,
    chosen,
    flag,
    number,
    text,
    whole,
)
from hal.drivers.mock.snapshot import of_station
from hal.errors import DeviceUnavailable
from hal.faults import FaultCode, VendorCode
from hal.interfaces.part import Role
from hal.signals import EmergencyStopSignal, FaultSignal, Signal, TamperSignal, TokenSignal

_log = logging.getLogger("hal.mock")

REGISTER_FILE = "mock-registers.txt"
# Half of the second that may be lost with the process, so that a late event loop keeps the promise too.
SAVE_INTERVAL_S = 0.5


def _unheard(_signal: Signal) -> None:
    """Where signals go before there is a board."""


class MockHardware:
    """One per board, shared by all parts of the mock. Every operation takes effect before it returns.

    Operations raise MockError for what makes no sense. monotonic: the clock that energy is counted by, s.
    """

    def __init__(
        self,
        monotonic: Callable[[], float],
        state_dir: Path,
        control: Path | None,
    ) -> None:
        self.evses: dict[int, SimulatedEvse] = {}
        self.roles: set[Role] = set()  # of the station, those that are open
        self.reader_failure: str | None = None
        self.firmware_outcome = "ok"
        self.enclosure_open = False
        self.stop_pressed = False
        self.display: tuple[str, ...] = ()
        self.faults: dict[FaultCode, tuple[str, str]] = {}
        self._emit: Callable[[Signal], None] = _unheard
        self._monotonic = monotonic
        self._registers = RegisterFile(state_dir / REGISTER_FILE)
        self._control = ControlSocket(control, self) if control is not None else None
        self._saving: asyncio.TimerHandle | None = None

    # --- the life of the simulation --------------------------------------------------------------------------------

    def connect(self, emit: Callable[[Signal], None]) -> None:
        """Report to this board."""
        self._emit = emit

    def add_evse(self, evse_id: int, model: EvseModel) -> SimulatedEvse:
        """The simulated EVSE of this id, made when a first part asks for it."""
        if evse_id not in self.evses:
            self.evses[evse_id] = SimulatedEvse(evse_id, model, self._monotonic, self._emit, self.changed, self._save)
        return self.evses[evse_id]

    async def open(self) -> None:
        """Take the registers from the file, and listen at the control socket.

        Raises DeviceUnavailable if the file cannot be opened, BoardConfigError if the socket cannot.
        """
        try:
            kept_wh = self._registers.open()
        except OSError as error:
            raise DeviceUnavailable(f"the mock's energy registers: {error}") from error
        for evse_id, energy_wh in kept_wh.items():
            if evse_id in self.evses:
                self.evses[evse_id].register.energy_wh = energy_wh
        if self._control is not None:
            await self._control.open()

    async def close(self) -> None:
        """Save the registers and take the socket away."""
        if self._control is not None:
            await self._control.close()
        if self._saving is not None:
            self._saving.cancel()
            self._saving = None
        for evse in self.evses.values():
            if evse.car is not None:
                evse.car.leave()
        self._save()
        self._registers.close()

    def changed(self) -> None:
        """Something that `state` shows has changed."""
        if self._control is not None:
            self._control.publish()
        self._save()
        if self._saving is None and any(evse.register.power_w for evse in self.evses.values()):
            self._saving = asyncio.get_running_loop().call_later(SAVE_INTERVAL_S, self._save_again)

    def _save_again(self) -> None:
        self._saving = None
        self._save()
        if any(evse.register.power_w for evse in self.evses.values()):
            self._saving = asyncio.get_running_loop().call_later(SAVE_INTERVAL_S, self._save_again)

    def _save(self) -> None:
        try:
            self._registers.write({evse_id: evse.register.energy_wh for evse_id, evse in self.evses.items()})
        except OSError as error:
            _log.warning("the meters' registers could not be saved: %s", error)

    # --- what people do ----------------------------------------------------------------------------------------------

    async def plug_in(
        self,
        evse: int = 1,
        connector: int = 1,
        current: float = 32.0,
        phases: int = 3,
        ready_after: float | None = 1.0,
    ) -> None:
        """A car is plugged in; it draws up to `current` A on `phases`, and asks `ready_after` s after an offer."""
        simulated = self._evse(evse)
        whole("connector", connector, range(1, len(simulated.model.connectors) + 1))
        if simulated.car is not None and simulated.connector_id != connector:
            raise MockError(f"connector {simulated.connector_id} of EVSE {evse} is in use")
        current_a = number("current", current, 0, 1000)
        whole("phases", phases, (1, 2, 3))
        ready_after_s = None if ready_after is None else number("ready_after", ready_after, 0, 86_400)
        simulated.plug_in(connector, current_a, phases, ready_after_s)

    async def plug_out(self, evse: int = 1, side: str = "all") -> None:
        """The cable is pulled; side "car": only out of the car."""
        chosen("side", side, ("all", "car"))
        self._evse(evse).plug_out(car_side_only=side == "car")

    async def pause(self, evse: int = 1) -> None:
        """The car stops drawing."""
        if (car := self._evse(evse).car) is not None:
            car.pause()

    async def resume(self, evse: int = 1) -> None:
        """The car goes on drawing, or begins."""
        if (car := self._evse(evse).car) is not None:
            car.resume()

    async def swipe(self, token: str, type: str = "ISO14443", evse: int | None = None) -> None:
        """A card at the reader; evse None: the reader serves all EVSEs."""
        text("token", token, 1, 36)
        chosen("type", type, TOKEN_TYPES)
        if evse is not None:
            self._evse(evse)
        if Role.READER in self.roles and self.reader_failure is None:
            self._emit(TokenSignal(token, type, evse))

    async def fault(self, evse: int = 1, error: str = "OtherError", vendor_code: str = "", info: str = "") -> None:
        """Raise a fault, a ChargePointErrorCode of OCPP 1.6; evse 0: of the station."""
        code = FaultCode(chosen("error", error, tuple(FaultCode)))
        faults = self.faults if evse == 0 else self._evse(evse).faults
        text("vendor_code", vendor_code, 0, 255)
        text("info", info, 0, 255)
        before = faults.get(code)
        faults[code] = (vendor_code, info)
        self._emit(FaultSignal(evse, code, True, vendor_code, info))
        if before is not None and before[0] != vendor_code:
            self._emit(FaultSignal(evse, code, False, before[0]))
        if before != faults[code]:
            self.changed()

    async def clear_fault(self, evse: int = 1, error: str = "OtherError") -> None:
        """Clear it."""
        code = FaultCode(chosen("error", error, tuple(FaultCode)))
        faults = self.faults if evse == 0 else self._evse(evse).faults
        if (raised := faults.pop(code, None)) is not None:
            self._emit(FaultSignal(evse, code, False, raised[0]))
            self.changed()

    async def set_meter(
        self,
        evse: int = 1,
        energy: float | EllipsisType | None = ...,
        power: float | EllipsisType | None = ...,
        voltage: float | EllipsisType | None = ...,
        current: float | EllipsisType | None = ...,
        soc: float | EllipsisType | None = ...,
    ) -> None:
        """Set the energy register, Wh; override what else is read (W, V, A, %), None: show the truth again."""
        meter = self._evse(evse)

        def taken(name: str, value: float | None, high: float) -> float | None:
            return None if value is None else number(name, value, 0, high)

        if not isinstance(energy, EllipsisType) and energy is not None:
            meter.register.energy_wh = number("energy", energy, 0, 1e12)
        if not isinstance(power, EllipsisType):
            meter.overrides.power_w = taken("power", power, 1e7)
        if not isinstance(voltage, EllipsisType):
            meter.overrides.voltage_v = taken("voltage", voltage, 1e5)
        if not isinstance(current, EllipsisType):
            meter.overrides.current_a = taken("current", current, 1e5)
        if not isinstance(soc, EllipsisType):
            meter.overrides.soc_percent = taken("soc", soc, 100)
        self.changed()

    async def weld(self, evse: int = 1, stuck: bool = True) -> None:
        """The contactor no longer opens; False mends it."""
        self._evse(evse).weld(flag("stuck", stuck))

    async def fail(self, part: str, evse: int = 1, mode: str | None = None) -> None:
        """A device stops answering; mode None mends it."""
        role = Role(chosen("part", part, FAIL_PARTS))
        if mode is not None:
            chosen("mode", mode, FAIL_MODES)
        if role is Role.READER:
            self._fail_reader(mode)
            return
        simulated = self._evse(evse)
        if simulated.failures.get(role) == mode:
            return
        simulated.failures.pop(role, None)
        if role is Role.PILOT:
            self._report_pilot(simulated, mode)
        if mode is not None:
            simulated.failures[role] = mode
        self.changed()

    async def firmware(self, outcome: str) -> None:
        """What the mock installer does next."""
        self.firmware_outcome = chosen("outcome", outcome, FIRMWARE_OUTCOMES)

    async def tamper(self, open: bool) -> None:
        """The door switch."""
        if flag("open", open) != self.enclosure_open:
            self.enclosure_open = open
            self._tell(Role.TAMPER, TamperSignal(open))

    async def emergency_stop(self, pressed: bool) -> None:
        """The stop button."""
        if flag("pressed", pressed) != self.stop_pressed:
            self.stop_pressed = pressed
            self._tell(Role.EMERGENCY_STOP, EmergencyStopSignal(pressed))

    async def state(self) -> dict[str, object]:
        """What all of it looks like now."""
        return self.snapshot()

    def snapshot(self) -> dict[str, object]:
        """What `state` answers."""
        return of_station(self)

    # --- within ------------------------------------------------------------------------------------------------------

    def _evse(self, evse_id: int) -> SimulatedEvse:
        whole("evse", evse_id, sorted(self.evses))
        return self.evses[evse_id]

    def _tell(self, role: Role, signal: Signal) -> None:
        if role in self.roles:
            self._emit(signal)
        self.changed()

    def _report_pilot(self, evse: SimulatedEvse, mode: str | None) -> None:
        """A lost pilot is noticed at once; one that is back tells its state before the fault is cleared."""
        if mode is None:
            if not evse.fixed_cable:
                evse.say(Role.PILOT, evse.cable_signal())
            evse.say(Role.PILOT, evse.pilot_signal())
        info = f"control pilot: {mode}" if mode else ""
        lost = FaultSignal(evse.evse_id, FaultCode.INTERNAL_ERROR, mode is not None, VendorCode.PILOT_LOST, info)
        evse.say(Role.PILOT, lost)

    def _fail_reader(self, mode: str | None) -> None:
        if mode == self.reader_failure:
            return
        self.reader_failure = mode
        if Role.READER in self.roles:
            active, info = mode is not None, f"card reader: {mode}" if mode else ""
            self._emit(FaultSignal(0, FaultCode.READER_FAILURE, active, VendorCode.READER_LOST, info))
        self.changed()
