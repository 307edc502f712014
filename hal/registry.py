"""Drivers by name. A driver's module is imported when a configuration first names it."""

from __future__ import annotations

from hal.driver import Driver, nearest
from hal.errors import BoardConfigError

ENTRY_POINT_GROUP = "evse_agent.drivers"

# The drivers that come with this package: looking through the entry points of every installed distribution costs
# more than the rest of the start, so only names that are not here do.
BUILT_IN = {
    "mock": "hal.drivers.mock.driver:DRIVER",
}


def find(name: str, where: str) -> Driver:
    """The driver of this name.

    where: the place in the configuration that asks for it. Raises BoardConfigError if no driver is called so (it
    names the nearest that exists) or if it cannot be imported.
    """
    if name in BUILT_IN:
        return _load(BUILT_IN[name], name, where)
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow; see BUILT_IN

    installed = {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)}
    if name not in installed:
        raise BoardConfigError(f"{where}: no driver {name!r}{nearest(name, {**BUILT_IN, **installed})}")
    return _load(installed[name], name, where)


def _load(target: str, name: str, where: str) -> Driver:
    from importlib import import_module  # noqa: PLC0415 - as above

    module, _, attribute = target.partition(":")
    try:
        driver: Driver = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise BoardConfigError(f"{where}: driver {name!r} ({target}) cannot be loaded: {error}") from error
    return driver
