"""Each fault of a frame and the error code it earns (the table in agent/ocpp/errors.py)."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from agent.ocpp.frames import FRAME_LENGTH
from agent.ocpp.rpc import CallReceived, CallRejected, Event, Ignored, RpcSession
from agent.ocpp.versions import V16, OcppVersion

SUPPORTED = {
    "ChangeAvailability",
    "ChangeConfiguration",
    "ClearCache",
    "DataTransfer",
    "GetConfiguration",
    "RemoteStartTransaction",
    "Reset",
    "TriggerMessage",
    "UnlockConnector",
}

# The manners of OCPP 2.x with broken frames, on the messages of 1.6.
V2_MANNERS = OcppVersion("2.0.1", "ocpp2.0.1", "v16", {}, answers_unreadable=True)


def receive(frame: str | bytes, version: OcppVersion = V16) -> Event:
    return RpcSession(version, SUPPORTED).receive_text(frame)


def call(action: object, payload: object, message_id: object = "1") -> str:
    return json.dumps([2, message_id, action, payload])


PROFILE_WITH_HUNDREDTHS = {
    "chargingProfileId": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.05}],
    },
}


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        # the action
        (call("Rest", {}), "NotImplemented"),
        (call("reset", {"type": "Hard"}), "NotImplemented"),  # case counts, 1.6 Part J §4.2.1
        (call("", {}), "NotImplemented"),
        (call("../secrets", {}), "NotImplemented"),
        (call("SetChargingProfile", {}), "NotSupported"),  # a block that is off
        (call("BootNotification", {}), "NotSupported"),  # goes the other way
        # the frame
        (call(17, {}), "FormationViolation"),
        (call(None, {}), "FormationViolation"),
        ('[2,"1"]', "FormationViolation"),
        ('[2,"1","Reset"]', "FormationViolation"),
        ('[2,"1","Reset",{"type":"Hard"},{}]', "FormationViolation"),
        ('[2,"","ClearCache",{}]', "FormationViolation"),
        (f'[2,"{"x" * 37}","ClearCache",{{}}]', "FormationViolation"),
        # not JSON, but the id can be read
        ('[2,"1","Reset",{"type":"Hard"}', "FormationViolation"),
        ('[2,"1","Reset",{"type":}]', "FormationViolation"),
        ("[2,\"1\",\"Reset\",{'type':'Hard'}]", "FormationViolation"),
        ('[2,"1","Reset",{"type":"Hard"}]x', "FormationViolation"),
        ('\ufeff[2,"1","ClearCache",{}]', "FormationViolation"),
        ('[2,"1","DataTransfer",{"vendorId":"a\x01"}]', "FormationViolation"),
        ('[2,"1","DataTransfer",{"vendorId":"\\ud800"}]', "FormationViolation"),
        ('[2,"1","UnlockConnector",{"connectorId":NaN}]', "FormationViolation"),
        ('[2,"1","UnlockConnector",{"connectorId":-Infinity}]', "FormationViolation"),
        ('[2,"1","UnlockConnector",{"connectorId":1e400}]', "FormationViolation"),
        ('[2,"1","UnlockConnector",{"connectorId":' + "9" * 5000 + "}]", "FormationViolation"),
        ('[2,"1","DataTransfer",' + '{"a":' * 100_000, "FormationViolation"),
        ('[2,"1","DataTransfer",' + "[" * 900 + "]" * 900 + "]", "FormationViolation"),
        (call("DataTransfer", {"vendorId": "x" * FRAME_LENGTH}), "FormationViolation"),
        (b'[2,"1","DataTransfer",{"vendorId":"\xff"}]', "FormationViolation"),
        # the payload as a whole
        (call("Reset", []), "FormationViolation"),
        (call("Reset", "Hard"), "FormationViolation"),
        (call("ClearCache", 0), "FormationViolation"),
        (call("ClearCache", False), "FormationViolation"),
        (call("ClearCache", {"all": True}), "FormationViolation"),
        (call("Reset", {"type": "Hard", "delay": 5}), "FormationViolation"),
        (call("RemoteStartTransaction", {"idTag": "A", "parentIdTag": "B"}), "FormationViolation"),
        # something is missing
        (call("Reset", {}), "OccurenceConstraintViolation"),
        (call("Reset", None), "OccurenceConstraintViolation"),
        (call("ChangeConfiguration", {"key": "HeartbeatInterval"}), "OccurenceConstraintViolation"),
        (call("RemoteStartTransaction", {"connectorId": 1}), "OccurenceConstraintViolation"),
        (call("TriggerMessage", {"connectorId": 1}), "OccurenceConstraintViolation"),
        # a wrong JSON type
        (call("Reset", {"type": 1}), "TypeConstraintViolation"),
        (call("Reset", {"type": None}), "TypeConstraintViolation"),
        (call("UnlockConnector", {"connectorId": "1"}), "TypeConstraintViolation"),
        (call("UnlockConnector", {"connectorId": True}), "TypeConstraintViolation"),
        (call("UnlockConnector", {"connectorId": 1.5}), "TypeConstraintViolation"),
        (call("ChangeConfiguration", {"key": "HeartbeatInterval", "value": 60}), "TypeConstraintViolation"),
        (call("GetConfiguration", {"key": "HeartbeatInterval"}), "TypeConstraintViolation"),
        (call("GetConfiguration", {"key": [None]}), "TypeConstraintViolation"),
        (call("ChangeAvailability", {"connectorId": 0, "type": ["Operative"]}), "TypeConstraintViolation"),
        # a wrong value
        (call("Reset", {"type": "Cold"}), "PropertyConstraintViolation"),
        (call("Reset", {"type": "hard"}), "PropertyConstraintViolation"),
        (call("ChangeAvailability", {"connectorId": 0, "type": ""}), "PropertyConstraintViolation"),
        (call("ChangeConfiguration", {"key": "k" * 51, "value": ""}), "PropertyConstraintViolation"),
        (call("ChangeConfiguration", {"key": "k", "value": "v" * 501}), "PropertyConstraintViolation"),
        (call("ChangeConfiguration", {"key": "k", "value": "v" * 900_000}), "PropertyConstraintViolation"),
        (call("RemoteStartTransaction", {"idTag": "A" * 21}), "PropertyConstraintViolation"),
        (
            call("RemoteStartTransaction", {"idTag": "A", "chargingProfile": PROFILE_WITH_HUNDREDTHS}),
            "PropertyConstraintViolation",
        ),
        (call("TriggerMessage", {"requestedMessage": "Authorize"}), "PropertyConstraintViolation"),
        (call("UnlockConnector", {"connectorId": 10**20}), "PropertyConstraintViolation"),
        (call("UnlockConnector", {"connectorId": 1e300}), "PropertyConstraintViolation"),
    ],
)
def test_a_faulty_call_is_answered_with(frame: str | bytes, code: str) -> None:
    event = receive(frame)
    assert isinstance(event, CallRejected)
    kind, message_id, answered, description, details = json.loads(event.frame)
    assert (kind, answered) == (4, code)
    assert message_id == event.message_id
    text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
    assert f'"{message_id}"' in text
    assert isinstance(description, str)
    assert 0 < len(description) <= 255
    assert isinstance(details, dict)


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "x",
        "null",
        "2",
        "{}",
        '"[2]"',
        "[]",
        "[2]",
        '[2,1,"ClearCache",{}]',
        '[2,null,"ClearCache",{}]',
        '[2,["1"],"ClearCache",{}]',
        f'[2,"{"x" * 5000}","ClearCache",{{}}]',
        '[2,"a\\u0022b","ClearCache",{',
        "[" * 100_000,
        "[" * 900 + "]" * 900,
        "[2," + "[" * 900 + "]" * 900 + "]",
        "[3," + "[" * 900 + "]" * 900 + "]",
        "[" + "9" * 5000 + "]",
        "9" * FRAME_LENGTH,
        b"\xff\xfe[\x002\x00",
        '[3,"never sent",{}]',
        '[3,"never sent",{]',
        '[4,"never sent","InternalError","",{}]',
        "[3]",
        "[4]",
        "[3,null,{}]",
        '[true,"1","ClearCache",{}]',
        '["2","1","ClearCache",{}]',
        '[[2],"1","ClearCache",{}]',
        '[1,"1","ClearCache",{}]',
        '[5,"1","ClearCache",{}]',
        '[-2,"1","ClearCache",{}]',
        "[null]",
    ],
)
def test_in_1_6_what_cannot_be_answered_is_ignored(frame: str | bytes) -> None:
    event = receive(frame)
    assert isinstance(event, Ignored)
    assert event.complaint.isascii()
    assert 0 < len(event.complaint) < 200


@pytest.mark.parametrize("head", ["", "2,", "3,", '4,"1",'])
def test_nesting_just_short_of_what_the_parser_refuses_is_ignored_too(head: str) -> None:
    # Somewhere in this range the parser gives up; up to there the value must not be followed down either.
    for depth in range(900, sys.getrecursionlimit() + 1):
        assert isinstance(receive(f"[{head}{'[' * depth}{']' * depth}]"), Ignored)


@pytest.mark.parametrize(
    ("frame", "message_id", "code"),
    [
        ("", "-1", "RpcFrameworkError"),
        ("{}", "-1", "RpcFrameworkError"),
        ('[2,1,"ClearCache",{}]', "-1", "RpcFrameworkError"),
        ('[2,"1","ClearCache"]', "1", "RpcFrameworkError"),
        ('[2,"1","ClearCache",{]', "1", "FormatViolation"),
        ('[2,"1","Reset",{}]', "1", "OccurrenceConstraintViolation"),
        ('[2,"1","ClearCache",[]]', "1", "FormatViolation"),
        ('[9,"1","ClearCache",{}]', "1", "MessageTypeNotSupported"),
        ("[9]", "-1", "MessageTypeNotSupported"),
    ],
)
def test_2_x_answers_what_it_cannot_read(frame: str, message_id: str, code: str) -> None:
    # 2.0.1 Part 4 §4.2.3, §4.3, §4.4
    event = receive(frame, V2_MANNERS)
    assert isinstance(event, CallRejected)
    assert json.loads(event.frame)[:3] == [4, message_id, code]


@pytest.mark.parametrize("frame", ['[3,"never sent",{}]', '[4,"-1","RpcFrameworkError","",{}]', '[4,"x",{]'])
def test_no_version_answers_an_answer(frame: str) -> None:
    assert isinstance(receive(frame, V2_MANNERS), Ignored)


def test_a_binary_frame_is_ignored() -> None:
    event = RpcSession(V16, SUPPORTED).receive_binary(b'[2,"1","ClearCache",{}]')
    assert event == Ignored("binary frame of 23 bytes")


@pytest.mark.parametrize(
    ("frame", "payload"),
    [
        (' [ 2 , "1" , "Reset" , { "type" : "Hard" } ] \r\n', {"type": "Hard"}),
        ('[2.0,"1","Reset",{"type":"Hard"}]', {"type": "Hard"}),
        ('[2,"1","Reset",{"type":"Soft","type":"Hard"}]', {"type": "Hard"}),
        ('[2,"1","DataTransfer",{"vendorId":"\\ud83d\\ude97"}]', {"vendorId": "🚗"}),
        ('[2,"1","DataTransfer",{"vendorId":"ü\\u0000"}]', {"vendorId": "ü\0"}),
        ('[2,"1","UnlockConnector",{"connectorId":1.0}]', {"connectorId": 1}),
    ],
)
def test_odd_but_valid_frames_are_calls(frame: str, payload: dict[str, Any]) -> None:
    event = receive(frame)
    assert isinstance(event, CallReceived)
    assert event.payload == payload


def test_the_longest_message_id_is_fine() -> None:
    event = receive(call("ClearCache", {}, "x" * 36))
    assert isinstance(event, CallReceived)
