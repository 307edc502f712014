"""What a driver is: an object that says which roles it can play and makes a part for each."""

from collections.abc import Callable, Hashable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from hal.errors import BoardConfigError
from hal.interfaces.part import Part, Role
from hal.signals import Signal
from hal.spec import Options
from hal.value import Value


class Place(Value):
    """Where a part sits. evse_id 0: the station itself; connector_id only for a lock, which is one connector's.

    name: the place in the words of the configuration file, for error messages.
    """

    name: str
    evse_id: int = 0
    connector_id: int = 0
    connectors: tuple[str, ...] = ()
    max_current_a: float = 0.0
    phases: int = 0


class Shared(Protocol):
    """A medium that several parts use: a bus, a board with many functions. Its methods behave as those of a `Part`."""

    async def open(self) -> None: ...
    async def close(self) -> None: ...


S = TypeVar("S", bound=Shared)


class Context:
    """What a board gives to its drivers.

    emit: deliver a signal; from the event loop's thread only, and only between `open` and `close`.
    state_dir: where a driver may keep files. asked_for: the keys that `share` was called with.
    """

    __slots__ = ("_hal_options", "_shared", "asked_for", "emit", "state_dir")

    def __init__(
        self,
        emit: Callable[[Signal], None],
        state_dir: Path,
        hal_options: Mapping[str, Options],
        shared: MutableMapping[Hashable, Shared],
    ) -> None:
        self.emit = emit
        self.state_dir = state_dir
        self._hal_options = hal_options
        self._shared = shared
        self.asked_for: set[Hashable] = set()

    def options(self, driver: str) -> Options:
        """The table [hal.<driver>] of the configuration file; empty if there is none."""
        return self._hal_options.get(driver, {})

    def share(self, key: Hashable, kind: type[S], make: Callable[[], S]) -> S:
        """The object that parts share under this key, made by the first who asks.

        The board opens it before any part and closes it after all of them; while it does not open, neither do the
        parts that asked for it. Raises BoardConfigError if the key already names something of another kind.
        """
        self.asked_for.add(key)
        if key not in self._shared:
            self._shared[key] = make()
        found = self._shared[key]
        if not isinstance(found, kind):
            raise BoardConfigError(f"{key!r} is a {type(found).__name__} already; it cannot be a {kind.__name__} too")
        return found


class Driver(Protocol):
    """What the entry-point group `evse_agent.drivers` names.

    A driver for a single device has one role. A driver for a whole EVSE has all that its board offers; roles of the
    station among them (a card reader, a stop button) are asked for once per station.
    """

    @property
    def roles(self) -> frozenset[Role]: ...

    def part(self, role: Role, place: Place, options: Options, context: Context) -> Part:
        """Make the part for this role. No I/O here: that is for `open`.

        Raises BoardConfigError if an option is wrong (see `checked_options`).
        """


def checked_options(where: str, options: Options, known: Mapping[str, Any]) -> dict[str, Any]:
    """The options, completed and checked against `known`: name -> default, or name -> type if it must be given.

    A value must be of its default's type; an integer passes for a float. Raises BoardConfigError naming the option
    and what would be right.
    """
    for name in options:
        if name not in known:
            raise BoardConfigError(f"{where}: unknown option {name!r}{nearest(name, known)}")
    taken: dict[str, Any] = {}
    for name, default in known.items():
        required = isinstance(default, type)
        kind = default if required else type(default)
        if name not in options:
            if required:
                raise BoardConfigError(f"{where}: option {name!r} is missing; it takes a {_KINDS[kind]}")
            taken[name] = default
            continue
        value = options[name]
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise BoardConfigError(f"{where}: option {name!r} takes a {_KINDS[kind]}, not {value!r}")
        taken[name] = value
    return taken


_KINDS = {str: "string", int: "whole number", float: "number", bool: "true or false", list: "list", dict: "table"}


def nearest(name: str, known: Mapping[str, Any] | frozenset[str] | tuple[str, ...]) -> str:
    """`"; did you mean 'x'?"`, or the names there are, for the end of an error message."""
    from difflib import get_close_matches  # noqa: PLC0415 - only an error needs it

    names = sorted(str(k) for k in known)
    if close := get_close_matches(name, names, 1):
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(names)}" if names else "; there are none"
