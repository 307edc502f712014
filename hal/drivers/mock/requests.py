"""The control socket's requests: which there are, what they take, and what is wrong with one."""

import json
import math
from collections.abc import Iterable, Mapping

from hal.driver import nearest
from hal.drivers.mock.errors import MockError
from hal.value import Value

MAX_LINE_BYTES = 64 * 1024
FAIL_PARTS = ("meter", "contactor", "lock", "reader", "pilot")
FAIL_MODES = ("timeout", "error", "garbage")
FIRMWARE_OUTCOMES = ("ok", "install_failure", "verification_failure", "boot_failure")
# IdTokenEnumType (OCPP 2.0.1 part 2, 3.43)
TOKEN_TYPES = (
    "Central",
    "eMAID",
    "ISO14443",
    "ISO15693",
    "KeyCode",
    "Local",
    "MacAddress",
    "NoAuthorization",
)


class Operation(Value):
    """What a request must and may carry."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


# Each is a method of MockHardware of the same name; `watch` is the socket's own.
OPERATIONS: Mapping[str, Operation] = {
    "plug_in": Operation((), ("evse", "connector", "current", "phases", "ready_after")),
    "plug_out": Operation((), ("evse", "side")),
    "pause": Operation((), ("evse",)),
    "resume": Operation((), ("evse",)),
    "swipe": Operation(("token",), ("type", "evse")),
    "fault": Operation(("error",), ("evse", "vendor_code", "info")),
    "clear_fault": Operation(("error",), ("evse",)),
    "set_meter": Operation((), ("evse", "energy", "power", "voltage", "current", "soc")),
    "weld": Operation(("stuck",), ("evse",)),
    "fail": Operation(("part", "mode"), ("evse",)),
    "firmware": Operation(("outcome",)),
    "tamper": Operation(("open",)),
    "emergency_stop": Operation(("pressed",)),
    "state": Operation(),
    "watch": Operation(),
}


class Request(Value):
    """One request, its names checked; its values are the operation's own affair."""

    op: str
    arguments: dict[str, object]


def parse(line: bytes) -> Request:
    """One line of the control socket. Raises MockError."""
    if len(line) > MAX_LINE_BYTES:
        raise MockError(f"the line is longer than {MAX_LINE_BYTES} bytes")
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise MockError(f"not JSON: {error}") from error
    if not isinstance(message, dict):
        raise MockError('not a request; one looks like {"op": "state"}')
    op = message.pop("op", None)
    if not isinstance(op, str) or op not in OPERATIONS:
        raise MockError(f"unknown op {op!r:.60}{nearest(str(op), OPERATIONS)}")
    operation = OPERATIONS[op]
    for name in message:
        if name not in operation.required + operation.optional:
            known = operation.required + operation.optional
            raise MockError(f"{op} takes no {name!r:.60}{nearest(name, known)}")
    for name in operation.required:
        if name not in message:
            raise MockError(f"{op} needs {name!r}")
    return Request(op, message)


def number(name: str, value: object, low: float, high: float) -> float:
    """A number in these bounds. Raises MockError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise MockError(f"{name}: a number, not {value!r:.60}")
    if not low <= value <= high:
        raise MockError(f"{name}: {low:g} to {high:g}, not {value:g}")
    return float(value)


def whole(name: str, value: object, choices: Iterable[int]) -> int:
    """One of these whole numbers. Raises MockError."""
    if isinstance(value, bool) or not isinstance(value, int) or value not in choices:
        raise MockError(f"{name}: {' or '.join(map(str, choices))}, not {value!r:.60}")
    return value


def text(name: str, value: object, shortest: int, longest: int) -> str:
    """A string of such a length. Raises MockError."""
    if not isinstance(value, str) or not shortest <= len(value) <= longest:
        raise MockError(f"{name}: a string of {shortest} to {longest} characters, not {value!r:.60}")
    return value


def chosen(name: str, value: object, choices: Iterable[str]) -> str:
    """One of these words. Raises MockError naming the nearest."""
    words = tuple(str(choice) for choice in choices)
    if not isinstance(value, str) or value not in words:
        raise MockError(f"{name}: unknown {value!r:.60}{nearest(str(value), words)}")
    return value


def flag(name: str, value: object) -> bool:
    """True or false. Raises MockError."""
    if not isinstance(value, bool):
        raise MockError(f"{name}: true or false, not {value!r:.60}")
    return value
