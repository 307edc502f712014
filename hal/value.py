"""Immutable records that cost little to define: the readings, the signals and the specifications of this package.

A `typing.NamedTuple` compiles code for every class and every annotation, and all of it before the first message to the
CSMS. A `Value` is the same tuple, made without compiling anything. The agent's core has its own, because neither of the
two may import the other.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any, ClassVar, Self, dataclass_transform


@dataclass_transform(frozen_default=True)
class Value(tuple[Any, ...]):
    """A tuple with named, typed fields: `class Reading(Value): energy_wh: float; age_s: float = 0.0`.

    Created by position or by name; equal to a tuple with the same items. Fields with defaults come last. A subclass of
    a subclass adds no fields.
    """

    __slots__ = ()
    _fields: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        # inspect.get_annotations would import inspect, and evaluate what is only wanted by name.
        annotations = cls.__dict__.get("__annotations__", ())  # noqa: RUF063
        names = tuple(name for name in annotations if not name.startswith("_"))
        if not names:
            return
        cls._fields = names
        cls._defaults = {name: cls.__dict__[name] for name in names if name in cls.__dict__}
        for index, name in enumerate(names):
            setattr(cls, name, property(itemgetter(index)))

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Raises TypeError for a field that is missing, unknown or given twice."""
        names = cls._fields
        if len(args) < len(names):
            try:
                rest = [kwargs.pop(name) if name in kwargs else cls._defaults[name] for name in names[len(args) :]]
            except KeyError as error:
                raise TypeError(f"{cls.__name__}: {error.args[0]} is missing") from None
            args = (*args, *rest)
        if kwargs or len(args) > len(names):
            raise TypeError(f"{cls.__name__} has the fields {', '.join(names)}")
        return tuple.__new__(cls, args)

    def __repr__(self) -> str:
        items = ", ".join(f"{name}={item!r}" for name, item in zip(self._fields, self, strict=True))
        return f"{type(self).__name__}({items})"

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self)

    def _replace(self, **changes: Any) -> Self:
        """A copy with other values in the named fields."""
        return type(self)(**{**self._asdict(), **changes})

    def _asdict(self) -> dict[str, Any]:
        """The items by name, in order."""
        return dict(zip(self._fields, self, strict=True))
