"""Frames that a CSMS should not send, and what OCPP-J 1.6 says to each, worked out without the agent's code.

Judged by the schemas of the `ocpp` package with `jsonschema`.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft6Validator, ValidationError
from jsonschema.validators import extend

SUPPORTED: dict[str, Any] = {
    "ChangeAvailability": {"connectorId": 1, "type": "Operative"},
    "ChangeConfiguration": {"key": "HeartbeatInterval", "value": "300"},
    "ClearCache": {},
    "DataTransfer": {"vendorId": "org.example", "messageId": "m", "data": "d"},
    "GetConfiguration": {"key": ["HeartbeatInterval", "NoSuchKey"]},
    "RemoteStartTransaction": {
        "idTag": "04AABB",
        "connectorId": 1,
        "chargingProfile": {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Relative",
            "chargingSchedule": {
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}],
            },
        },
    },
    "RemoteStopTransaction": {"transactionId": 4711},
    "Reset": {"type": "Soft"},
    "TriggerMessage": {"requestedMessage": "StatusNotification", "connectorId": 1},
    "UnlockConnector": {"connectorId": 1},
}
"""The Core profile's calls of the CSMS, and TriggerMessage, each with a payload that is valid."""

ELSEWHERE = (
    "BootNotification",
    "Heartbeat",
    "StartTransaction",
    "SendLocalList",
    "SetChargingProfile",
    "UpdateFirmware",
)
"""Calls that 1.6 has, but not for this station to receive."""

EFFECTIVE = ("ChangeAvailability", "ChangeConfiguration", "RemoteStartTransaction", "Reset")
"""What changes the station when it is valid, and then is no hostile frame."""

UNREADABLE = "FormationViolation"
"""What a frame may be answered with that is no JSON, if at all."""

_CODES = {
    "type": "TypeConstraintViolation",
    "required": "OccurenceConstraintViolation",
    "minItems": "OccurenceConstraintViolation",
    "maxItems": "OccurenceConstraintViolation",
    "additionalProperties": "FormationViolation",
}

Verdict = tuple[str, frozenset[str]] | None
"""The message id that is answered, and the codes of which one is right ("" for a CALLRESULT); None: no answer."""


class Unreadable(ValueError):
    """No JSON, or none that could be stored."""


def judge(frame: str) -> Verdict:
    """What a station that is idle must answer to a frame. Raises Unreadable."""
    match _decoded(frame):
        case [kind, str(message_id), *rest] if kind == 2 and not isinstance(kind, bool):
            return (message_id, _codes(message_id, rest)) if len(message_id) <= 255 else None
        case _:
            return None  # answers to calls that were never sent, and what is no OCPP (OCPP-J 1.6 §4.1.3, §4.2.1)


def _codes(message_id: str, rest: list[Any]) -> frozenset[str]:
    match rest:
        case [str(action), payload] if 0 < len(message_id) <= 36:
            if action in SUPPORTED:
                return _payload_codes(action, {} if payload is None else payload)
            return frozenset({"NotSupported" if _schema(action) else "NotImplemented"})
        case _:
            return frozenset({"FormationViolation"})


def _payload_codes(action: str, payload: object) -> frozenset[str]:
    if not isinstance(payload, dict):
        return frozenset({"FormationViolation"})
    validator = _schema(action)
    errors = list(validator.iter_errors(payload))
    # What is of the wrong type is not judged by its value as well.
    mistyped = {tuple(error.absolute_path) for error in errors if error.validator == "type"}
    return frozenset(
        _CODES.get(str(error.validator), "PropertyConstraintViolation")
        for error in errors
        if error.validator == "type" or tuple(error.absolute_path) not in mistyped
    ) or frozenset({""})


def _schema(action: str) -> Any:
    path = _schemas().get(action)
    return None if path is None else _validator(path)


@cache
def _schemas() -> dict[str, Path]:
    """The requests' schemas, by action."""
    folder = Path(str(files("ocpp"))) / "v16" / "schemas"
    return {path.stem: path for path in folder.glob("*.json") if not path.stem.endswith("Response")}


@cache
def _validator(path: Path) -> Any:
    return _Validator(json.loads(path.read_text("utf-8-sig")))


def _multiple_of(_validator: Any, step: float, value: Any, _schema: Any) -> Iterator[ValidationError]:
    """Decimal, as it is written: 21.4 is a multiple of 0.1."""
    if isinstance(value, int | float) and not isinstance(value, bool) and Decimal(str(value)) % Decimal(str(step)):
        yield ValidationError("not a multiple")


def _type(validator: Any, name: str, value: Any, schema: Any) -> Iterator[ValidationError]:
    """An integer that nothing can store is out of range."""
    yield from Draft6Validator.VALIDATORS["type"](validator, name, value, schema)
    if name == "integer" and isinstance(value, int | float) and abs(value) >= 2**63:
        yield ValidationError("out of range", validator="maximum")


_Validator = extend(Draft6Validator, {"multipleOf": _multiple_of, "type": _type})  # type: ignore[no-untyped-call]  # so says its stub


def _decoded(frame: str) -> Any:
    def refuse(name: str) -> float:
        raise ValueError(name)

    def finite(text: str) -> float:
        return float(text) if abs(float(text)) != float("inf") else refuse(text)

    try:
        value = json.loads(frame, parse_constant=refuse, parse_float=finite)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Unreadable from error
    return value


# --- mutations of what is valid ---------------------------------------------------------------------------------------

_JUNK: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 1.5, 10**20, -(10**20), 1e300, 21.4, 2**63, "", "x", "x" * 21, "x" * 51, "x" * 600,
    "Hard", "Operative", "ü", "\U0001f697", "\x00", "2024-13-01T00:00:00Z", "null", "1", [], [None], [[]], [1, 2], {},
    {"a": None}, {"connectorId": 1}, [{}] * 40,
)  # fmt: skip
_SCRAPS = (
    "", "[", "]", "{", "}", '"', ",", ":", "null", "true", "NaN", "Infinity", "-", "1e999", "9" * 4400, "2", "\\",
    "\\u", "\\ud800", "\x00", "\ufeff", "é", "[" * 20_000, '{"a":' * 20_000, "'", "//", "\n", "0x10", "01",
    '"type":"Hard"',
)  # fmt: skip


def mutations(count: int, seed: int) -> Iterator[str]:
    """So many frames, made of valid calls of every action by breaking a few things each."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    ids = map("m{}".format, range(10**9))
    made = 0
    while made < count:
        frame = chance.choice((_broken_payload, _broken_payload, _broken_array, _broken_text))(chance, next(ids))
        if not _is_effective(frame):
            made += 1
            yield frame


def _is_effective(frame: str) -> bool:
    try:
        verdict = judge(frame)
    except Unreadable:
        return False
    return verdict is not None and "" in verdict[1] and any(f'"{action}"' in frame for action in EFFECTIVE)


def _broken_payload(chance: random.Random, message_id: str) -> str:
    action = chance.choice(list(SUPPORTED))
    payload = copy.deepcopy(SUPPORTED[action])
    for _ in range(chance.randint(1, 3)):
        _break(chance, payload)
    text = json.dumps([2, message_id, action, payload], ensure_ascii=chance.random() < 0.5)
    return text.replace("{", f'{{"vendorId":{json.dumps(chance.choice(_JUNK))},', 1) if chance.random() < 0.1 else text


def _break(chance: random.Random, payload: Any) -> None:
    """Change, remove or add a member somewhere in it."""
    holders = [payload]
    for holder in holders:
        inner = holder.values() if isinstance(holder, dict) else holder
        holders += [item for item in inner if isinstance(item, dict | list)]
    holder = chance.choice(holders)
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    action = chance.random()
    if keys and action < 0.3:
        del holder[chance.choice(keys)]
    elif keys and action < 0.8:
        holder[chance.choice(keys)] = copy.deepcopy(chance.choice(_JUNK))
    elif isinstance(holder, dict):
        holder[chance.choice(("extra", "", "Type", "connectorId", "\x07", "k" * 300))] = copy.deepcopy(
            chance.choice(_JUNK)
        )
    else:
        holder.append(copy.deepcopy(chance.choice(_JUNK)))


def _broken_array(chance: random.Random, message_id: str) -> str:
    action = chance.choice((*SUPPORTED, *ELSEWHERE, "Rest", "reset", "", "__init__", "../schemas", "x" * 5000))
    frame: list[Any] = [chance.choice((2, 2, 2, 2.0, 3, 4, 5, -2, 2.5, "2", None, True)), message_id, action]
    frame.append(copy.deepcopy(SUPPORTED.get(action, {})))
    for _ in range(chance.randint(0, 2)):
        spot = chance.randrange(len(frame) + 1)
        broken = chance.random()
        if spot < len(frame) and broken < 0.4:
            frame[spot] = chance.choice((*_JUNK, "y" * 37, "y" * 256))
        elif spot < len(frame) and broken < 0.7:
            del frame[spot:]
        else:
            frame.insert(spot, chance.choice(_JUNK))
        if not frame:
            break
    return json.dumps(frame)


def _broken_text(chance: random.Random, message_id: str) -> str:
    action = chance.choice(list(SUPPORTED))
    text = json.dumps([2, message_id, action, SUPPORTED[action]])
    for _ in range(chance.randint(1, 3)):
        start = chance.randint(0, len(text))
        end = min(len(text), start + chance.randint(0, 12))
        text = text[:start] + chance.choice((*_SCRAPS, text[start:end] * 2)) + text[end:]
    return text


# --- what hypothesis thinks of ----------------------------------------------------------------------------------------

_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_ARRAYS = st.builds(
    lambda kind, message_id, action, payload, length: json.dumps([kind, message_id, action, payload, {}][:length]),
    st.sampled_from([2, 2, 2, 2, 3, 4, 4.0, 1, "2", None, True]),
    st.text(min_size=1, max_size=40) | st.text(min_size=1, max_size=40) | _VALUES,
    st.sampled_from([*SUPPORTED, *ELSEWHERE]) | st.text(max_size=20) | _VALUES,
    st.dictionaries(st.sampled_from(["key", "connectorId", "idTag", "type", "vendorId"]), _VALUES) | _VALUES,
    st.sampled_from([4, 4, 4, 4, 0, 1, 2, 3, 5]),
)
_FRAMES: st.SearchStrategy[str | bytes] = st.one_of(
    _ARRAYS, _ARRAYS, _ARRAYS, _VALUES.map(json.dumps), st.text(max_size=200), st.binary(max_size=200)
)


def inventions(count: int) -> list[str | bytes]:
    """So many frames, the same each time; bytes are binary frames."""
    frames: list[str | bytes] = []

    def collect(frame: str | bytes) -> None:
        if isinstance(frame, bytes) or not _is_effective(frame):
            frames.append(frame)

    generate: Callable[[], None] = settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )(given(_FRAMES)(collect))
    generate()
    return frames
