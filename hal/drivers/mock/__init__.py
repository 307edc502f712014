"""The mock: a driver for every role, with a simulated car and a control socket, for tests and demonstrations."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hal.drivers.mock.station import MockStation

__all__ = ["MockStation"]


def __getattr__(name: str) -> object:
    if name != "MockStation":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Not at once: the driver, which a daemon loads, does not need what a test does.
    from hal.drivers.mock.station import MockStation  # noqa: PLC0415

    return MockStation
