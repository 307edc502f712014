"""One simulated EVSE: pilot, cable, contactor, lock and meter, as physics has them and before any driver reads them."""

from collections.abc import Callable

from hal.drivers.mock.car import Car
from hal.drivers.mock.register import EnergyRegister
from hal.faults import FaultCode
from hal.interfaces.control_pilot import MIN_OFFER_A, PilotState
from hal.interfaces.energy_meter import MeterReading
from hal.interfaces.indicator import Indication, Pattern
from hal.interfaces.part import Role
from hal.signals import CableSignal, ContactorSignal, PilotSignal, Signal
from hal.value import Value

FREQUENCY_HZ = 50.0


class EvseModel(Value):
    """What the simulated EVSE is built of. cable_rating_a: of the cables that are plugged into its sockets."""

    connectors: tuple[str, ...]
    max_current_a: float
    phases: int
    voltage_v: float
    cable_rating_a: float


class Overrides:
    """What the meter shows instead of the truth; None: the truth."""

    __slots__ = ("current_a", "power_w", "soc_percent", "voltage_v")

    def __init__(self) -> None:
        self.power_w: float | None = None
        self.voltage_v: float | None = None
        self.current_a: float | None = None
        self.soc_percent: float | None = None


class SimulatedEvse:
    """on_change: something that the state shows has changed; the energy's growth alone does not count.

    on_reading: somebody has been given a reading, which no power cut may take back.
    """

    def __init__(
        self,
        evse_id: int,
        model: EvseModel,
        monotonic: Callable[[], float],
        emit: Callable[[Signal], None],
        on_change: Callable[[], None],
        on_reading: Callable[[], None],
    ) -> None:
        self.evse_id = evse_id
        self.model = model
        self.register = EnergyRegister(monotonic)
        self.overrides = Overrides()
        self.faults: dict[FaultCode, tuple[str, str]] = {}
        self.failures: dict[Role, str] = {}
        self.roles: set[Role] = set()  # those that are open; what nobody drives says nothing
        self.car: Car | None = None
        self.connector_id = 1
        self.cable_in_socket = False
        self.locked: set[int] = set()
        self.contacts_closed = False
        self.welded = False
        self.offered_current_a = 0.0
        self.indication = Indication(Pattern.OFF)
        self.residual_tripped = False
        self._coil = False
        self._pilot = PilotState.A
        self._cable: CableSignal | None = None
        self._emit = emit
        self._on_change = on_change
        self._on_reading = on_reading

    # --- what can be seen ----------------------------------------------------------------------------------------

    @property
    def pilot(self) -> PilotState:
        """What the pilot says."""
        if self.car is None:
            return PilotState.A
        return PilotState.C if self.car.asks else PilotState.B

    @property
    def fixed_cable(self) -> bool:
        """The connector in use has its cable fixed to the charger."""
        return self.model.connectors[self.connector_id - 1].startswith("c")

    @property
    def cable_present(self) -> bool:
        """A plug is in the socket; of a fixed cable, the cable is in a car."""
        return self.car is not None if self.fixed_cable else self.cable_in_socket

    @property
    def cable_rating_a(self) -> float | None:
        """What the cable in the socket may carry, A; None without one."""
        return self.model.cable_rating_a if self.cable_present and not self.fixed_cable else None

    @property
    def drawn_current_a(self) -> float:
        """What the car draws on each of its phases, A."""
        if self.car is None or not self.car.asks or not self.contacts_closed:
            return 0.0
        limit_a = min(self.offered_current_a, self.car.current_a, self.cable_rating_a or self.offered_current_a)
        return limit_a if self.offered_current_a >= MIN_OFFER_A else 0.0

    @property
    def phases(self) -> int:
        """How many phases are in use, or could be."""
        return self.model.phases if self.car is None else min(self.model.phases, self.car.phases)

    def reading(self) -> MeterReading:
        """What the meter shows."""
        shown, model = self.overrides, self.model
        voltage_v = model.voltage_v if shown.voltage_v is None else shown.voltage_v
        current_a = self.drawn_current_a if shown.current_a is None else shown.current_a
        power_w = self.register.power_w if shown.power_w is None else shown.power_w
        idle = model.phases - self.phases
        reading = MeterReading(
            energy_import_wh=self.register.energy_wh,
            power_import_w=power_w,
            power_phase_w=(power_w / self.phases,) * self.phases + (0.0,) * idle,
            current_a=(current_a,) * self.phases + (0.0,) * idle,
            voltage_v=(voltage_v,) * model.phases,
            frequency_hz=FREQUENCY_HZ,
            power_factor=1.0,
            soc_percent=shown.soc_percent,
        )
        self._on_reading()
        return reading

    # --- what people do to it ------------------------------------------------------------------------------------

    def plug_in(self, connector_id: int, current_a: float, phases: int, ready_after_s: float | None) -> None:
        """Put the cable in both ends; a car that is there already gets the new properties."""
        self.connector_id = connector_id
        self.cable_in_socket = not self.fixed_cable
        if self.car is None:
            self.car = Car(current_a, phases, ready_after_s, self.settle)
            self.car.offer(self.offered_current_a >= MIN_OFFER_A)
        else:
            self.car.current_a, self.car.phases = current_a, phases
        self.settle()

    def plug_out(self, *, car_side_only: bool) -> None:
        """Pull the cable out of the car, and out of the socket unless `car_side_only`."""
        if self.car is not None:
            self.car.leave()
            self.car = None
        if not car_side_only:
            self.cable_in_socket = False
        self.settle()

    # --- what the drivers do to it -------------------------------------------------------------------------------

    def offer(self, current_a: float) -> None:
        """The pilot offers so much."""
        self.offered_current_a = current_a
        if self.car is not None:
            self.car.offer(current_a >= MIN_OFFER_A)
        self.settle()

    def drive_coil(self, on: bool) -> None:
        """Energize the contactor's coil, or not. Welded contacts stay closed."""
        self._coil = on
        self.settle()

    def weld(self, stuck: bool) -> None:
        """Contacts that are closed, or close from now on, do not open any more; False mends them."""
        self.welded = stuck
        self.settle()
        self._on_change()

    def settle(self) -> None:
        """Let physics follow its causes, and report what has changed."""
        contacts_closed = self._coil or (self.welded and self.contacts_closed)
        contactor_changed = contacts_closed != self.contacts_closed
        self.contacts_closed = contacts_closed
        self.register.power_w = self.drawn_current_a * self.phases * self.model.voltage_v
        pilot_changed = self.pilot is not self._pilot
        self._pilot = self.pilot
        if contactor_changed:
            self.say(Role.CONTACTOR, ContactorSignal(self.evse_id, contacts_closed))
        if not self.fixed_cable and self._cable != self.cable_signal():
            self._cable = self.cable_signal()
            self.say(Role.PILOT, self._cable)
        if pilot_changed:
            self.say(Role.PILOT, self.pilot_signal())
        self._on_change()

    def cable_signal(self) -> CableSignal:
        """The socket's proximity contact."""
        return CableSignal(self.evse_id, self.connector_id, self.cable_present, self.cable_rating_a)

    def pilot_signal(self) -> PilotSignal:
        """The pilot."""
        return PilotSignal(self.evse_id, self.pilot, self.connector_id)

    def say(self, role: Role, signal: Signal) -> None:
        """Report, if a driver listens and its device works."""
        if role in self.roles and role not in self.failures:
            self._emit(signal)
