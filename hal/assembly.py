"""From a board's specification to its parts: which driver plays which role where."""

from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar, cast

from hal import registry
from hal.access import Access
from hal.driver import Context, Driver, Place, Shared, nearest
from hal.errors import BoardConfigError
from hal.interfaces.connector_lock import ConnectorLock
from hal.interfaces.contactor import Contactor
from hal.interfaces.control_pilot import ControlPilot
from hal.interfaces.display import Display
from hal.interfaces.emergency_stop import EmergencyStop
from hal.interfaces.energy_meter import EnergyMeter
from hal.interfaces.id_token_reader import IdTokenReader
from hal.interfaces.indicator import Indicator
from hal.interfaces.part import EVSE_ROLES, Part, Role
from hal.interfaces.residual_current import ResidualCurrent
from hal.interfaces.tamper import Tamper
from hal.interfaces.temperature import Temperature
from hal.interfaces.watchdog import Watchdog
from hal.signals import Signal
from hal.spec import BoardSpec, EvseSpec, Options
from hal.station import StationParts
from hal.supervisor import EvseParts
from hal.value import Value

P = TypeVar("P", bound=Part)


class _Slot(Value, Generic[P]):
    """A role, and the interface that a part must have to play it."""

    role: Role
    interface: type[Part]


_CONTACTOR: _Slot[Contactor] = _Slot(Role.CONTACTOR, Contactor)
_PILOT: _Slot[ControlPilot] = _Slot(Role.PILOT, ControlPilot)
_LOCK: _Slot[ConnectorLock] = _Slot(Role.LOCK, ConnectorLock)
_METER: _Slot[EnergyMeter] = _Slot(Role.METER, EnergyMeter)
_RESIDUAL_CURRENT: _Slot[ResidualCurrent] = _Slot(Role.RESIDUAL_CURRENT, ResidualCurrent)
_TEMPERATURE: _Slot[Temperature] = _Slot(Role.TEMPERATURE, Temperature)
_INDICATOR: _Slot[Indicator] = _Slot(Role.INDICATOR, Indicator)
_READER: _Slot[IdTokenReader] = _Slot(Role.READER, IdTokenReader)
_DISPLAY: _Slot[Display] = _Slot(Role.DISPLAY, Display)
_TAMPER: _Slot[Tamper] = _Slot(Role.TAMPER, Tamper)
_EMERGENCY_STOP: _Slot[EmergencyStop] = _Slot(Role.EMERGENCY_STOP, EmergencyStop)
_WATCHDOG: _Slot[Watchdog] = _Slot(Role.WATCHDOG, Watchdog)


class Assembly:
    """Makes the parts of one board. No I/O; raises BoardConfigError for whatever is wrong in the specification.

    media: what parts share, parts: all that were made; both in the order in which to open them.
    """

    def __init__(self, spec: BoardSpec, emit: Callable[[Signal], None], shared: Mapping[Hashable, Shared]) -> None:
        self._spec = spec
        self._emit = emit
        self._shared = dict(shared)
        self._media: dict[Hashable, Access[Shared]] = {}
        self.parts: list[Access[Part]] = []

    @property
    def media(self) -> tuple[Access[Shared], ...]:
        """What the parts that were made until now share."""
        return tuple(self._media.values())

    def evse(self, spec: EvseSpec) -> EvseParts:
        """The parts of one EVSE; the contactor first, so that whatever fails afterwards, it can be opened."""
        for name in spec.parts:
            if name not in EVSE_ROLES:
                raise BoardConfigError(f"evse {spec.id}: no part {name!r}{nearest(name, EVSE_ROLES)}")
        return EvseParts(
            contactor=self._required(spec, _CONTACTOR),
            pilot=self._required(spec, _PILOT),
            locks=self._locks(spec),
            meter=self._required(spec, _METER),
            residual_current=self._optional(spec, _RESIDUAL_CURRENT),
            temperature=self._optional(spec, _TEMPERATURE),
            indicator=self._optional(spec, _INDICATOR),
        )

    def station(self) -> StationParts:
        """The station's parts: the configured readers, and what the drivers of whole EVSEs offer besides, once each."""
        spec = self._spec
        boards: dict[str, tuple[Driver, Options]] = {}
        for evse in spec.evses:
            if evse.driver is not None and evse.driver not in boards:
                boards[evse.driver] = (registry.find(evse.driver, f"evse {evse.id}"), evse.options)

        def offered(slot: _Slot[P]) -> tuple[Access[P], ...]:
            return tuple(
                self._make(slot, driver, Place("station"), options)
                for driver, options in boards.values()
                if slot.role in driver.roles
            )

        readers: list[Access[IdTokenReader]] = []
        for number, part in enumerate(spec.readers, 1):
            place = Place(f"reader {number}")
            readers.append(self._make(_READER, registry.find(part.driver, place.name), place, part.options))
        return StationParts(
            emergency_stop=next(iter(offered(_EMERGENCY_STOP)), None),
            tamper=next(iter(offered(_TAMPER)), None),
            readers=tuple(readers) or offered(_READER),
            display=next(iter(offered(_DISPLAY)), None),
            watchdog=next(iter(offered(_WATCHDOG)), None),
        )

    def _locks(self, spec: EvseSpec) -> dict[int, Access[ConnectorLock]]:
        locks: dict[int, Access[ConnectorLock]] = {}
        for number, kind in enumerate(spec.connectors, 1):
            if kind.startswith("s") and (lock := self._optional(spec, _LOCK, number)):
                locks[number] = lock
        return locks

    def _required(self, spec: EvseSpec, slot: _Slot[P]) -> Access[P]:
        part = self._optional(spec, slot)
        if part is None:
            raise BoardConfigError(
                f"evse {spec.id}: no {slot.role}; name its driver under [evse.{slot.role}], "
                f"or a driver for the whole EVSE"
            )
        return part

    def _optional(self, spec: EvseSpec, slot: _Slot[P], connector_id: int = 0) -> Access[P] | None:
        role, where = slot.role, f"evse {spec.id}"
        if (part := spec.parts.get(role)) is not None:
            where = f"{where}, {role}"
            driver, options = registry.find(part.driver, where), part.options
            if role not in driver.roles:
                roles = ", ".join(sorted(driver.roles))
                raise BoardConfigError(f"{where}: driver {part.driver!r} has no such role; it has: {roles}")
        elif spec.driver is not None:
            driver, options = registry.find(spec.driver, where), spec.options
            if role not in driver.roles:
                return None
        else:
            return None
        place = Place(where, spec.id, connector_id, spec.connectors, spec.max_current_a, spec.phases)
        return self._make(slot, driver, place, options)

    def _make(self, slot: _Slot[P], driver: Driver, place: Place, options: Options) -> Access[P]:
        context = Context(self._emit, self._spec.state_dir, self._spec.hal_options, self._shared)
        part = driver.part(slot.role, place, options, context)
        if not isinstance(part, slot.interface):
            made, wanted = type(part).__name__, slot.interface.__name__
            raise BoardConfigError(f"{place.name}: the driver's {slot.role} is a {made}, no {wanted}")
        media = tuple(self._medium(key) for key in context.asked_for)
        access = Access(cast(P, part), slot.role, media)
        self.parts.append(cast(Access[Part], access))
        return access

    def _medium(self, key: Hashable) -> Access[Shared]:
        if key not in self._media:
            self._media[key] = Access(self._shared[key], str(key))
        return self._media[key]
