"""The variables whose value is what the station is doing now: AvailabilityState and DateTime (OCPP 2.0.1 part 2, B05).

They are computed when somebody reads them, so that a status which changes a hundred times a day costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.charging.device_model import DeviceModel
from agent.charging.station import Station
from agent.charging.types import ConnectorStatus
from agent.charging.variables import DATE_TIME, availability_state

# An EVSE serves one car: what one of its connectors does says more of it than what another one could do.
_FOREMOST = (
    ConnectorStatus.FAULTED,
    ConnectorStatus.OCCUPIED,
    ConnectorStatus.RESERVED,
    ConnectorStatus.AVAILABLE,
    ConnectorStatus.UNAVAILABLE,
)


def report_states(model: DeviceModel, station: Station, date_time: Callable[[], str]) -> None:
    """Ties the reported variables of `model` to `station`. `date_time`: the time now, as OCPP writes it."""
    model.provide(DATE_TIME, date_time)
    model.provide(availability_state(0), _reader(station, 0))
    for evse_id, evse in station.evses.items():
        model.provide(availability_state(evse_id), _reader(station, evse_id))
        for connector in evse.spec.connectors:
            number = connector.connector_id
            model.provide(availability_state(evse_id, number), _reader(station, evse_id, number))


def _reader(station: Station, evse_id: int, connector_id: int | None = None) -> Callable[[], str]:
    def read() -> str:
        statuses = (
            view.status
            for view in station.views()
            if view.evse_id == evse_id and connector_id in (None, view.connector_id)
        )
        return min(statuses, key=_FOREMOST.index).value

    return read
