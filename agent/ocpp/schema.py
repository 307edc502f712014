"""Are payloads what their message's schema says, and if not, what exactly is wrong?

A valid payload meets only generated code. One that this code refuses is examined again, with the schema
itself, to name the property and the rule. Both come from the build hook; see `agent.ocpp.validators`.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Literal

from agent.charging.value import Value
from agent.ocpp.errors import (
    CallError,
    FormatViolation,
    OccurrenceConstraintViolation,
    PropertyConstraintViolation,
    TypeConstraintViolation,
)
from agent.ocpp.timestamps import is_rfc3339, parse_utc_ms

Kind = Literal["request", "response"]
Payload = dict[str, Any]
Path = tuple[str | int, ...]

_FORMATS = {"date-time": is_rfc3339}
_NAMED_VIOLATIONS = 3

_ERRORS: dict[str, type[CallError]] = {
    "type": TypeConstraintViolation,
    "null": TypeConstraintViolation,
    "required": OccurrenceConstraintViolation,
    "minItems": OccurrenceConstraintViolation,
    "maxItems": OccurrenceConstraintViolation,
    "additionalProperties": FormatViolation,
    "enum": PropertyConstraintViolation,
    "minLength": PropertyConstraintViolation,
    "maxLength": PropertyConstraintViolation,
    "minimum": PropertyConstraintViolation,
    "maximum": PropertyConstraintViolation,
    "multipleOf": PropertyConstraintViolation,
    "format": PropertyConstraintViolation,
    "sloppy date-time": PropertyConstraintViolation,
}

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


def _is_multiple(value: float, step: float) -> bool:
    """Decided on the decimals as written: 21.4 is a multiple of 0.1, which binary floating point denies."""
    from decimal import Decimal  # noqa: PLC0415  3 ms to import, needed for faulty charging profiles only

    return Decimal(repr(value)) % Decimal(repr(step)) == 0


# keyword: (the types it speaks of, whether a value keeps it, how to say that it does not)
_RULES: dict[str, tuple[tuple[type, ...], Callable[[Any, Any], bool], str]] = {
    "enum": ((str, int, float), lambda value, allowed: value in allowed, "must be one of {}"),
    "minLength": ((str,), lambda value, bound: len(value) >= bound, "must have at least {} characters"),
    "maxLength": ((str,), lambda value, bound: len(value) <= bound, "must have at most {} characters"),
    "minimum": ((int, float), lambda value, bound: value >= bound, "must be at least {}"),
    "maximum": ((int, float), lambda value, bound: value <= bound, "must be at most {}"),
    "multipleOf": ((int, float), _is_multiple, "must be a multiple of {}"),
    "format": ((str,), lambda value, name: _FORMATS[name](value), "must be an RFC 3339 {}"),
    "minItems": ((list,), lambda value, bound: len(value) >= bound, "must have at least {} elements"),
    "maxItems": ((list,), lambda value, bound: len(value) <= bound, "must have at most {} elements"),
}


class Violation(Value):
    """One rule of a schema that a payload breaks."""

    path: Path
    """Where: property names and array indices from the payload down."""

    rule: str
    """JSON schema keyword; also "null" for the null of an optional property, and "sloppy date-time" for one
    that RFC 3339 does not allow but whose moment is clear."""

    text: str
    """What is wrong, without the value."""

    def __str__(self) -> str:
        return f"{property_name(self.path)} {self.text}"


def actions(version: str) -> frozenset[str]:
    """The actions that an OCPP version ("v16") has, in either direction."""
    found: frozenset[str] = import_module(f"agent.ocpp.validators.{version}").ACTIONS
    return found


def validator(version: str, action: str, kind: Kind) -> Callable[[Payload], bool]:
    """The check of one message: takes a payload, tells whether it is valid.

    Args:
        version: package of the OCPP version, "v16".
        action: one of `actions`; anything else must not get here, as it names a module to import.
        kind: which of the action's two messages.

    Raises:
        LookupError: the version has no such message.
    """
    if action not in actions(version):
        raise LookupError(f"OCPP {version} has no action of this name")
    generated = getattr(import_module(f"agent.ocpp.validators.{version}.{action}"), kind, None)
    if generated is None:
        raise LookupError(f"{action} has no {kind}")

    def is_valid(payload: Payload) -> bool:
        try:
            generated(payload, _FORMATS)
        except ValueError:
            return False
        return True

    return is_valid


def explain(version: str, action: str, kind: Kind, payload: Payload) -> CallError:
    """The error to answer an invalid payload with: code of the first violation, words of the first few."""
    found: list[Violation] = []
    for violation in violations(version, action, kind, payload):
        found.append(violation)
        if len(found) == _NAMED_VIOLATIONS:
            break
    first = found[0]
    return _ERRORS[first.rule]("; ".join(map(str, found)), {"property": property_name(first.path)})


def tolerate(version: str, action: str, payload: Payload) -> str | CallError:
    """Judges an invalid answer of the CSMS: a complaint to log if it is usable all the same, else the error.

    Usable is what is off only by unknown properties, by optional properties that are null (they are removed
    from `payload`, so that null means absent), or by date-times that RFC 3339 does not allow but
    `agent.ocpp.timestamps` understands.
    """
    complaints: list[str] = []
    nulls: list[Path] = []
    for violation in violations(version, action, "response", payload):
        if violation.rule not in {"additionalProperties", "null", "sloppy date-time"}:
            return _ERRORS[violation.rule](str(violation), {"property": property_name(violation.path)})
        if violation.rule == "null":
            nulls.append(violation.path)
        if len(complaints) < _NAMED_VIOLATIONS:
            complaints.append(str(violation))
    for path in nulls:
        holder: Any = payload
        for step in path[:-1]:
            holder = holder[step]
        del holder[path[-1]]
    return "; ".join(complaints)


def violations(version: str, action: str, kind: Kind, payload: Payload) -> Iterator[Violation]:
    """All that is wrong with a payload, per object: what is missing, what is wrong, what is unknown."""
    schema = getattr(import_module(f"agent.ocpp.validators.{version}.schemas.{action}"), kind.upper())
    return _examine(payload, schema, schema.get("definitions", {}), ())


def property_name(path: Path) -> str:
    """A path as one reads it: ``chargingSchedule.chargingSchedulePeriod[0].limit``; "payload" if empty."""
    name = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return name.lstrip(".") or "payload"


def _examine(value: Any, schema: Payload, definitions: Payload, path: Path) -> Iterator[Violation]:
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    expected = schema.get("type")
    if expected is not None and not _has_type(value, expected):
        yield Violation(path, "type", f"must be of type {expected}")
        return
    for rule, (types, is_kept, text) in _RULES.items():
        if rule in schema and isinstance(value, types) and not is_kept(value, schema[rule]):
            limit = schema[rule]
            said = text.format(", ".join(map(str, limit)) if isinstance(limit, list) else limit)
            yield Violation(path, _format_rule(str(value)) if rule == "format" else rule, said)
            return
    if isinstance(value, dict):
        yield from _examine_object(value, schema, definitions, path)
    elif isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from _examine(item, schema["items"], definitions, (*path, index))


def _examine_object(value: Payload, schema: Payload, definitions: Payload, path: Path) -> Iterator[Violation]:
    required = schema.get("required", ())
    properties = schema.get("properties", {})
    for name in required:
        if name not in value:
            yield Violation((*path, name), "required", "is missing")
    for name, member in properties.items():
        if name not in value:
            continue
        if value[name] is None and name not in required:
            yield Violation((*path, name), "null", "must be left out rather than null")
        else:
            yield from _examine(value[name], member, definitions, (*path, name))
    if schema.get("additionalProperties") is False:
        for name in value:
            if name not in properties:
                # The CSMS chose this name: it goes into answers and logs short and printable.
                yield Violation((*path, ascii(name)[1:-1][:50]), "additionalProperties", "is unknown here")


def _has_type(value: object, expected: str) -> bool:
    # In Python True is an int; in JSON it is not.
    return isinstance(value, _TYPES[expected]) and (expected == "boolean" or not isinstance(value, bool))


def _format_rule(value: str) -> str:
    try:
        parse_utc_ms(value)
    except ValueError:
        return "format"
    return "sloppy date-time"
