"""What a variable of the device model is: its identity, its characteristics, and which values it takes.

The terms are those of OCPP 2.0.1 part 1 §4 and part 2 (ComponentType, VariableType,
VariableCharacteristicsType).
"""

from __future__ import annotations

import re
from collections.abc import Container
from enum import StrEnum

from agent.charging.value import Value

# Patterns are compiled on first use: together they would cost the start a millisecond.
#
# One address in a string, for files and stores. Names and instances are identifierStrings (part 2 §2.1.4); a
# name holds no dot, so the first dot starts the instance, which may hold more of them.
_NAME = r"([A-Za-z0-9*_=:+|@-]+)"
_INSTANCE = r"(?:\.([A-Za-z0-9*_=:+|@.-]+))?"
_KEY = rf"{_NAME}{_INSTANCE}(?:#([1-9][0-9]*)(?:\.([1-9][0-9]*))?)?/{_NAME}{_INSTANCE}"
_DECIMAL = r"-?[0-9]+(?:\.[0-9]{1,6})?"
_DATE_TIME = r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)"
_INTEGER_LIMIT = 2**31 - 1


class VariableId(Value):
    """A variable's address. The spelling is the standard's; the device model compares names without case."""

    component: str
    variable: str
    component_instance: str | None = None
    evse_id: int | None = None
    connector_id: int | None = None
    variable_instance: str | None = None

    def __str__(self) -> str:
        """`Component.instance#evse.connector/Variable.instance`, without the parts that are absent."""
        instance = f".{self.component_instance}" if self.component_instance else ""
        evse = f"#{self.evse_id}" if self.evse_id is not None else ""
        connector = f".{self.connector_id}" if self.connector_id is not None else ""
        variable_instance = f".{self.variable_instance}" if self.variable_instance else ""
        return f"{self.component}{instance}{evse}{connector}/{self.variable}{variable_instance}"

    @classmethod
    def parse(cls, key: str) -> VariableId:
        """The inverse of `str()`. Raises ValueError for anything else."""
        match = re.fullmatch(_KEY, key)
        if match is None:
            raise ValueError(f"{key!r} is not Component.instance#evse.connector/Variable.instance")
        component, component_instance, evse, connector, variable, variable_instance = match.groups()
        return cls(
            component,
            variable,
            component_instance,
            int(evse) if evse else None,
            int(connector) if connector else None,
            variable_instance,
        )

    def folded(self) -> VariableId:
        """The same address in the form in which names compare equal without case."""
        return VariableId(
            self.component.casefold(),
            self.variable.casefold(),
            self.component_instance and self.component_instance.casefold(),
            self.evse_id,
            self.connector_id,
            self.variable_instance and self.variable_instance.casefold(),
        )


class DataType(StrEnum):
    """DataEnumType (OCPP 2.0.1 part 2 §3.26)."""

    STRING = "string"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE_TIME = "dateTime"
    OPTION_LIST = "OptionList"
    SEQUENCE_LIST = "SequenceList"
    MEMBER_LIST = "MemberList"


class Mutability(StrEnum):
    """MutabilityEnumType (OCPP 2.0.1 part 2 §3.58)."""

    READ_ONLY = "ReadOnly"
    READ_WRITE = "ReadWrite"
    WRITE_ONLY = "WriteOnly"


class VariableSpec(Value):
    """A variable's characteristics and the attributes of its Actual value.

    Limits bound numbers by value and strings and lists by length in characters; `max_items` bounds lists.
    `values` are the allowed values or list members; `measurands` means that the station's supported
    measurands are. A persistent variable is a setting, kept over restarts; another one is a state that the
    station reports. A constant never changes at run time.
    """

    id: VariableId
    data_type: DataType
    default: str = ""
    mutability: Mutability = Mutability.READ_WRITE
    unit: str = ""
    min_limit: float | None = None
    max_limit: float | None = None
    values: tuple[str, ...] = ()
    max_items: int | None = None
    measurands: bool = False
    reboot_required: bool = False
    persistent: bool = True
    constant: bool = False


Parsed = str | int | float | bool | tuple[str, ...]


def normalise(spec: VariableSpec, value: str, measurands: Container[str] = ()) -> str:
    """`value` in standard spelling. Raises ValueError, saying what would be right, for one that does not fit."""
    match spec.data_type:
        case DataType.BOOLEAN:
            return _one_of(value, ("true", "false"))
        case DataType.INTEGER:
            number = _integer(value)
            if number is None:
                raise ValueError(f"must be a whole number{_within(spec)}")
            _check_limits(spec, number)
            return value
        case DataType.DECIMAL:
            if len(value) > 40 or not re.fullmatch(_DECIMAL, value):
                raise ValueError(f"must be a number{_within(spec)}")
            _check_limits(spec, float(value))
            return value
        case DataType.DATE_TIME:
            if not re.fullmatch(_DATE_TIME, value):
                raise ValueError("must be a date and time as in 2030-01-31T12:00:00Z")
            return value
        case DataType.OPTION_LIST:
            return _one_of(value, spec.values)
        case DataType.SEQUENCE_LIST | DataType.MEMBER_LIST:
            value = _normalise_list(spec, value, measurands)
        case DataType.STRING if spec.values:
            return _one_of(value, spec.values)
    if spec.max_limit is not None and len(value) > spec.max_limit:
        raise ValueError(f"must have at most {spec.max_limit:g} characters")
    if spec.min_limit is not None and len(value) < spec.min_limit:
        raise ValueError(f"must have at least {spec.min_limit:g} characters")
    if not value.isprintable():
        raise ValueError("must not hold control characters")
    return value


def parse(spec: VariableSpec, value: str) -> Parsed:
    """The typed value of a normalised string: bool, int, float, tuple of list items, or the string itself."""
    match spec.data_type:
        case DataType.BOOLEAN:
            return value == "true"
        case DataType.INTEGER:
            return int(value)
        case DataType.DECIMAL:
            return float(value)
        case DataType.SEQUENCE_LIST | DataType.MEMBER_LIST:
            return tuple(value.split(",")) if value else ()
    return value


def _integer(value: str) -> int | None:
    """OCPP's integer: 31 bits and a sign, no leading zeros, no plus (part 2 §2.1.4)."""
    try:
        number = int(value[:12])
    except ValueError:
        return None
    return number if str(number) == value and abs(number) <= _INTEGER_LIMIT else None


def _one_of(value: str, allowed: tuple[str, ...]) -> str:
    folded = value.casefold()
    for candidate in allowed:
        if candidate.casefold() == folded:
            return candidate
    raise ValueError(f"must be one of {', '.join(allowed)}")


def _normalise_list(spec: VariableSpec, value: str, measurands: Container[str]) -> str:
    if not value.strip():
        return ""
    items = [item.strip() for item in value.split(",")]
    if spec.max_items is not None and len(items) > spec.max_items:
        raise ValueError(f"must have at most {spec.max_items} items")
    if spec.values:
        items = [_one_of(item, spec.values) for item in items]
    if spec.measurands:
        unsupported = [item for item in items if item not in measurands]
        if unsupported:
            raise ValueError(f"this station cannot measure {', '.join(unsupported)}")
    if len(set(items)) < len(items):
        raise ValueError("must name each item once")
    if not all(items):
        raise ValueError("must have an item between every two commas")
    return ",".join(items)


def _check_limits(spec: VariableSpec, number: float) -> None:
    if (spec.min_limit is not None and number < spec.min_limit) or (
        spec.max_limit is not None and number > spec.max_limit
    ):
        raise ValueError(f"must be a number{_within(spec)}")


def _within(spec: VariableSpec) -> str:
    unit = f" {spec.unit}" if spec.unit else ""
    if spec.min_limit is not None and spec.max_limit is not None:
        return f" from {spec.min_limit:g} to {spec.max_limit:g}{unit}"
    if spec.min_limit is not None:
        return f" of at least {spec.min_limit:g}{unit}"
    if spec.max_limit is not None:
        return f" of at most {spec.max_limit:g}{unit}"
    return f" in {spec.unit}" if spec.unit else ""
