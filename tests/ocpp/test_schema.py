"""Validators: the generated code, the examiner and the official schemas give one verdict."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.ocpp.errors import (
    CallError,
    FormatViolation,
    OccurrenceConstraintViolation,
    PropertyConstraintViolation,
    TypeConstraintViolation,
)
from agent.ocpp.schema import Kind, actions, explain, tolerate, validator, violations
from hatch_build import official_schemas

OFFICIAL = official_schemas("v16")
MESSAGES: list[tuple[str, Kind]] = [
    (action, kind) for action in sorted(actions("v16")) for kind in ("request", "response")
]

PROFILE: dict[str, Any] = {
    "connectorId": 1,
    "csChargingProfiles": {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 21.4}],
        },
    },
}


def official(action: str, kind: Kind) -> dict[str, Any]:
    name = action if kind == "request" else f"{action}Response"
    schema: dict[str, Any] = json.loads((OFFICIAL / f"{name}.json").read_text("utf-8-sig"))
    return schema


def profile_with_limit(limit: object) -> dict[str, Any]:
    payload = copy.deepcopy(PROFILE)
    payload["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] = limit
    return payload


@pytest.mark.parametrize("tenths", range(0, 1000, 7))
def test_every_number_of_tenths_is_a_multiple_of_a_tenth(tenths: int) -> None:
    assert validator("v16", "SetChargingProfile", "request")(profile_with_limit(tenths / 10))


@pytest.mark.parametrize("limit", [21.45, 0.01, 1e-9, 16.000001])
def test_more_decimals_than_one_violate_the_property_constraint(limit: float) -> None:
    payload = profile_with_limit(limit)
    assert not validator("v16", "SetChargingProfile", "request")(payload)
    error = explain("v16", "SetChargingProfile", "request", payload)
    assert isinstance(error, PropertyConstraintViolation)
    path = "csChargingProfiles.chargingSchedule.chargingSchedulePeriod[0].limit"
    assert error.details == {"property": path}
    assert error.description == f"{path} must be a multiple of 0.1"


@pytest.mark.parametrize("limit", [1e300, -1e300, 10**400])
def test_numbers_beyond_all_sense_are_refused(limit: float) -> None:
    payload = profile_with_limit(limit)
    assert not validator("v16", "SetChargingProfile", "request")(payload)
    error = explain("v16", "SetChargingProfile", "request", payload)
    assert isinstance(error, PropertyConstraintViolation)


@pytest.mark.parametrize("number", [2**63, -(2**63), 10**30])
def test_integers_that_no_database_column_holds_are_refused(number: int) -> None:
    payload = {"transactionId": number}
    assert not validator("v16", "RemoteStopTransaction", "request")(payload)
    error = explain("v16", "RemoteStopTransaction", "request", payload)
    assert isinstance(error, PropertyConstraintViolation)


@pytest.mark.parametrize("value", [True, False, 1.5, 1.0, "1", None, [1], {}])
def test_only_an_integer_is_an_integer(value: object) -> None:
    payload = {"connectorId": value}
    assert not validator("v16", "UnlockConnector", "request")(payload)
    assert isinstance(explain("v16", "UnlockConnector", "request", payload), TypeConstraintViolation)


@pytest.mark.parametrize(
    ("action", "payload", "error_class", "description"),
    [
        ("Reset", {}, OccurrenceConstraintViolation, "type is missing"),
        ("Reset", {"type": "Cold"}, PropertyConstraintViolation, "type must be one of Hard, Soft"),
        ("Reset", {"type": 1}, TypeConstraintViolation, "type must be of type string"),
        ("Reset", {"type": "Hard", "now": True}, FormatViolation, "now is unknown here"),
        (
            "ChangeConfiguration",
            {"key": "k" * 51, "value": ""},
            PropertyConstraintViolation,
            "key must have at most 50 characters",
        ),
        (
            "ReserveNow",
            {"connectorId": 1, "expiryDate": "soon", "idTag": "A", "reservationId": 1},
            PropertyConstraintViolation,
            "expiryDate must be an RFC 3339 date-time",
        ),
        ("GetConfiguration", {"key": None}, TypeConstraintViolation, "key must be left out rather than null"),
        ("GetConfiguration", {"key": "Heartbeat"}, TypeConstraintViolation, "key must be of type array"),
        ("GetConfiguration", {"key": ["a", 1]}, TypeConstraintViolation, "key[1] must be of type string"),
    ],
)
def test_the_error_names_code_property_and_rule(
    action: str, payload: dict[str, Any], error_class: type[CallError], description: str
) -> None:
    assert not validator("v16", action, "request")(payload)
    error = explain("v16", action, "request", payload)
    assert type(error) is error_class
    assert error.description == description


def test_a_list_that_must_not_be_empty_violates_the_occurrence_constraint() -> None:
    error = explain("v16", "MeterValues", "request", {"connectorId": 1, "meterValue": []})
    assert type(error) is OccurrenceConstraintViolation


def test_several_faults_are_told_at_once_with_the_code_of_the_first() -> None:
    error = explain("v16", "Reset", "request", {"typ": "Hard"})
    assert type(error) is OccurrenceConstraintViolation
    assert error.description == "type is missing; typ is unknown here"


def test_values_are_never_repeated_in_the_description() -> None:
    secret = "s3cret" * 200
    for payload in ({"key": "AuthorizationKey", "value": secret}, {"key": "AuthorizationKey", "value": [secret]}):
        error = explain("v16", "ChangeConfiguration", "request", payload)
        assert "s3cret" not in str(error)


def test_a_name_that_the_csms_made_up_is_repeated_short_and_printable() -> None:
    error = explain("v16", "ClearCache", "request", {"\x1b[2J\u202e" + "x" * 1000: 1})
    assert error.description.isprintable()
    assert error.description.isascii()
    assert len(error.description) < 100


@pytest.mark.parametrize("action", ["Resett", "../Reset", "os", "", "schemas", "reset"])
def test_no_module_is_imported_for_an_unknown_action(action: str) -> None:
    with pytest.raises(LookupError):
        validator("v16", action, "request")


def test_a_clean_answer_with_extras_is_usable() -> None:
    payload = {"status": "Accepted", "currentTime": "2024-01-01 00:00:00", "interval": 5, "vendor": {"x": [1]}}
    complaint = tolerate("v16", "BootNotification", payload)
    assert complaint == "currentTime must be an RFC 3339 date-time; vendor is unknown here"


def test_null_for_an_optional_property_of_an_answer_means_that_it_is_absent() -> None:
    payload = {"transactionId": 7, "idTagInfo": {"status": "Accepted", "expiryDate": None, "parentIdTag": None}}
    complaint = tolerate("v16", "StartTransaction", payload)
    assert isinstance(complaint, str)
    assert "null" in complaint
    assert payload == {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}


@pytest.mark.parametrize(
    ("payload", "error_class"),
    [
        ({"idTagInfo": {"status": "Accepted"}}, OccurrenceConstraintViolation),
        ({"transactionId": None, "idTagInfo": {"status": "Accepted"}}, TypeConstraintViolation),
        ({"transactionId": "7", "idTagInfo": {"status": "Accepted"}}, TypeConstraintViolation),
        ({"transactionId": 7, "idTagInfo": {"status": "Fine"}, "extra": 1}, PropertyConstraintViolation),
        ({"transactionId": 7, "idTagInfo": {"status": "Accepted", "expiryDate": "never"}}, PropertyConstraintViolation),
    ],
)
def test_an_answer_that_lacks_what_is_needed_is_not_usable(
    payload: dict[str, Any], error_class: type[CallError]
) -> None:
    assert type(tolerate("v16", "StartTransaction", payload)) is error_class


def json_values(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    )


WILD = json_values(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5))


def values_of(schema: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that mostly keep a schema, with faults strewn in."""
    if "$ref" in schema:
        schema = root["definitions"][schema["$ref"].rpartition("/")[2]]
    kind = schema.get("type")
    if "enum" in schema:
        good: st.SearchStrategy[Any] = st.sampled_from(schema["enum"])
    elif schema.get("format") == "date-time":
        good = st.sampled_from(["2024-01-01T00:00:00Z", "2024-01-01T01:00:00.5+01:00"])
    elif kind == "string":
        good = st.text(max_size=schema.get("maxLength", 60) + 1)
    elif kind == "integer":
        good = st.integers(-(2**62), 2**62)
    elif kind == "number":
        good = st.integers(-10000, 10000).map(lambda tenths: tenths / 10)
    elif kind == "boolean":
        good = st.booleans()
    elif kind == "array":
        good = st.lists(values_of(schema["items"], root), max_size=3)
    else:
        members = {name: values_of(member, root) for name, member in schema.get("properties", {}).items()}
        required = schema.get("required", [])
        good = st.fixed_dictionaries(
            {name: members[name] for name in required},
            optional={name: member for name, member in members.items() if name not in required},
        )
        broken = st.builds(
            lambda base, extra: {**base, **extra}, good, st.dictionaries(st.text(max_size=3), WILD, max_size=1)
        )
        return st.one_of(good, good, good, broken)
    return st.integers(0, 19).flatmap(lambda dice: WILD if dice == 0 else good)


PAYLOADS = st.sampled_from(MESSAGES).flatmap(
    lambda message: st.tuples(
        st.just(message),
        values_of(official(*message), official(*message)).filter(lambda value: isinstance(value, dict)),
    )
)


@settings(max_examples=400, deadline=None)
@given(PAYLOADS)
def test_generated_code_examiner_and_official_schema_agree(case: tuple[tuple[str, Kind], dict[str, Any]]) -> None:
    (action, kind), payload = case
    found = list(violations("v16", action, kind, payload))
    assert validator("v16", action, kind)(payload) == (not found)
    schema = official(action, kind)
    judged = jsonschema.Draft4Validator({**schema, "$schema": "http://json-schema.org/draft-04/schema#"})
    official_rules = {error.validator for error in judged.iter_errors(payload)} - {"multipleOf"}
    if official_rules:
        assert found
    # What only we refuse: formats, and numbers out of all bounds, which jsonschema leaves alone here.
    ours_alone = {violation.rule for violation in found} <= {
        "format",
        "sloppy date-time",
        "minimum",
        "maximum",
        "multipleOf",
    }
    assert bool(official_rules) == (not ours_alone)


@pytest.mark.parametrize(("action", "kind"), MESSAGES)
def test_every_message_of_the_version_has_its_validator(action: str, kind: Kind) -> None:
    check = validator("v16", action, kind)
    assert check({}) == (not official(action, kind).get("required"))
    assert not check({"surelyNotInOcpp": 1})
