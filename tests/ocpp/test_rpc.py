"""A session between two parties that keep to the protocol, and what happens when the other one is silent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.ocpp.errors import (
    CallPending,
    GenericError,
    InternalError,
    InvalidPayload,
    NoSuchCall,
    NotSupported,
    OccurrenceConstraintViolation,
)
from agent.ocpp.rpc import (
    OPEN_CALLS,
    CallFailed,
    CallReceived,
    CallRejected,
    CallSucceeded,
    FailureReason,
    Ignored,
    RpcSession,
)
from agent.ocpp.versions import V16

BOOT = {"chargePointVendor": "Acme", "chargePointModel": "AC22"}
BOOTED = {"status": "Accepted", "currentTime": "2024-01-01T00:00:00Z", "interval": 300}


def session() -> RpcSession:
    return RpcSession(V16, {"Reset", "GetConfiguration", "ChangeConfiguration", "ClearCache"})


def frame(*elements: object) -> str:
    return json.dumps(elements)


def call_boot(rpc: RpcSession, message_id: str = "b1") -> str:
    return rpc.call("BootNotification", dict(BOOT), message_id, now_s=100.0, timeout_s=30.0)


def test_a_call_is_a_compact_frame_of_four_elements() -> None:
    sent = call_boot(session())
    assert json.loads(sent) == [2, "b1", "BootNotification", BOOT]
    assert " " not in sent


def test_a_call_result_succeeds_the_call() -> None:
    rpc = session()
    call_boot(rpc)
    assert rpc.receive_text(frame(3, "b1", BOOTED)) == CallSucceeded("b1", "BootNotification", BOOTED, "")
    assert rpc.next_deadline() is None


def test_bytes_are_taken_as_utf_8() -> None:
    rpc = session()
    call_boot(rpc)
    assert isinstance(rpc.receive_text(frame(3, "b1", BOOTED).encode()), CallSucceeded)


def test_a_null_payload_is_an_empty_one() -> None:  # 1.6 Part J §4.2.1, §4.2.2
    rpc = session()
    assert rpc.receive_text('[2,"1","ClearCache",null]') == CallReceived("1", "ClearCache", {})
    rpc.call("MeterValues", {"connectorId": 1, "meterValue": [_meter_value()]}, "m", 0.0, 30.0)
    assert rpc.receive_text('[3,"m",null]') == CallSucceeded("m", "MeterValues", {}, "")


def _meter_value() -> dict[str, Any]:
    return {"timestamp": "2024-01-01T00:00:00.000Z", "sampledValue": [{"value": "1"}]}


def test_an_integral_decimal_arrives_as_an_int() -> None:
    rpc = session()
    call_boot(rpc)
    event = rpc.receive_text('[3,"b1",{"status":"Accepted","currentTime":"2024-01-01T00:00:00Z","interval":3e2}]')
    assert isinstance(event, CallSucceeded)
    assert type(event.payload["interval"]) is int


def test_an_answer_with_harmless_faults_succeeds_with_a_complaint() -> None:
    rpc = session()
    call_boot(rpc)
    event = rpc.receive_text(frame(3, "b1", {**BOOTED, "heartbeatInterval": 300}))
    assert isinstance(event, CallSucceeded)
    assert event.complaint == "heartbeatInterval is unknown here"


def test_an_answer_without_what_is_needed_fails_the_call() -> None:
    rpc = session()
    call_boot(rpc)
    event = rpc.receive_text(frame(3, "b1", {"status": "Accepted", "currentTime": "2024-01-01T00:00:00Z"}))
    assert isinstance(event, CallFailed)
    assert event.reason is FailureReason.UNUSABLE_ANSWER
    assert type(event.error) is OccurrenceConstraintViolation
    assert rpc.next_deadline() is None


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ('[3,"b1"]', "RpcFrameworkError"),
        ('[3,"b1",{},{}]', "RpcFrameworkError"),
        ('[3,"b1",[]]', "FormatViolation"),
        ('[3,"b1",{"status":"Accepted",}]', "FormatViolation"),
        ('[3, "b1", {"interval": NaN}]', "FormatViolation"),
        ('[4,"b1",', "FormatViolation"),
    ],
)
def test_a_broken_answer_fails_the_call_at_once(answer: str, code: str) -> None:
    rpc = session()
    call_boot(rpc)
    event = rpc.receive_text(answer)
    assert isinstance(event, CallFailed)
    assert event.reason is FailureReason.UNUSABLE_ANSWER
    assert event.error is not None
    assert event.error.code == code


@pytest.mark.parametrize("code", ["OccurenceConstraintViolation", "OccurrenceConstraintViolation"])
def test_a_call_error_fails_the_call_in_either_spelling(code: str) -> None:  # OCPP-J 1.6 errata 5.1
    rpc = session()
    call_boot(rpc)
    event = rpc.receive_text(frame(4, "b1", code, "no model", {"property": "chargePointModel", "deep": [[[]]]}))
    assert isinstance(event, CallFailed)
    assert event.reason is FailureReason.REFUSED
    assert type(event.error) is OccurrenceConstraintViolation
    assert event.error.description == "no model"
    assert event.error.details == {"property": "chargePointModel"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ('[4,"b1"]', "GenericError"),
        ('[4,"b1",null,null,null]', "GenericError"),
        ('[4,"b1","NotSupported"]', "NotSupported"),
        ('[4,"b1","Teapot","short and stout",{}]', "GenericError: Teapot: short and stout"),
        ('[4,"b1","InternalError","x",{},1,2,3]', "InternalError: x"),
    ],
)
def test_a_call_error_counts_whatever_it_lacks(answer: str, said: str) -> None:
    rpc = session()
    call_boot(rpc)
    event = rpc.receive_text(answer)
    assert isinstance(event, CallFailed)
    assert event.reason is FailureReason.REFUSED
    assert str(event.error) == said


def test_one_call_at_a_time() -> None:  # 1.6 Part J §4.1.1
    rpc = session()
    call_boot(rpc)
    with pytest.raises(CallPending):
        rpc.call("Heartbeat", {}, "h1", 101.0, 30.0)
    rpc.receive_text(frame(3, "b1", BOOTED))
    rpc.call("Heartbeat", {}, "h1", 102.0, 30.0)


def test_calls_may_cross() -> None:  # 1.6 Part J §4.1.1, note
    rpc = session()
    call_boot(rpc)
    assert isinstance(rpc.receive_text('[2,"b1","ClearCache",{}]'), CallReceived)
    assert json.loads(rpc.answer("b1", {"status": "Accepted"})) == [3, "b1", {"status": "Accepted"}]
    assert isinstance(rpc.receive_text(frame(3, "b1", BOOTED)), CallSucceeded)


def test_a_call_times_out_at_its_deadline_and_not_before() -> None:
    rpc = session()
    call_boot(rpc)
    assert rpc.next_deadline() == 130.0
    assert rpc.tick(129.999) is None
    assert rpc.tick(130.0) == CallFailed("b1", "BootNotification", FailureReason.TIMED_OUT)
    assert rpc.next_deadline() is None
    assert rpc.tick(131.0) is None


def test_an_answer_after_the_timeout_is_still_understood_once() -> None:
    """The CSMS did process it: asking again would make it do so twice."""
    rpc = session()
    call_boot(rpc)
    rpc.tick(130.0)
    late = rpc.receive_text(frame(3, "b1", BOOTED))
    assert isinstance(late, CallSucceeded)
    assert (late.action, late.payload, late.complaint) == ("BootNotification", BOOTED, "the answer came late")
    assert isinstance(rpc.receive_text(frame(3, "b1", BOOTED)), Ignored)


@pytest.mark.parametrize("answer", ['[4,"b1","InternalError","",{}]', '[3,"b1",{}]', '[3,"b1",null]', '[3,"b1"]'])
def test_a_late_answer_that_helps_nobody_is_ignored(answer: str) -> None:
    rpc = session()
    call_boot(rpc)
    rpc.tick(130.0)
    assert isinstance(rpc.receive_text(answer), Ignored)


def test_late_answers_are_understood_of_the_last_calls_only() -> None:
    rpc = session()
    for number in range(40):
        rpc.call("Heartbeat", {}, f"h{number}", 0.0, 1.0)
        rpc.tick(1.0)
    now = {"currentTime": "2026-01-01T00:00:00Z"}
    assert isinstance(rpc.receive_text(frame(3, "h0", now)), Ignored)
    assert isinstance(rpc.receive_text(frame(3, "h39", now)), CallSucceeded)


@pytest.mark.parametrize("answer", ['[3,"b2",{}]', '[4,"b2","InternalError","",{}]', "[3,null,{}]", '[3,"B1",{}]'])
def test_an_answer_to_another_message_id_is_ignored_and_the_call_waits_on(answer: str) -> None:
    rpc = session()
    call_boot(rpc)
    assert isinstance(rpc.receive_text(answer), Ignored)
    assert isinstance(rpc.receive_text(frame(3, "b1", BOOTED)), CallSucceeded)


def test_a_repeated_message_may_keep_its_id_and_takes_the_late_answer() -> None:  # OCPP-J 1.6 errata 3.1
    rpc = session()
    call_boot(rpc)
    rpc.tick(130.0)
    call_boot(rpc)
    assert isinstance(rpc.receive_text(frame(3, "b1", BOOTED)), CallSucceeded)


def test_a_closed_connection_fails_the_pending_call_and_voids_the_open_ones() -> None:
    rpc = session()
    call_boot(rpc)
    rpc.receive_text('[2,"1","ClearCache",{}]')
    assert rpc.close() == CallFailed("b1", "BootNotification", FailureReason.CONNECTION_CLOSED)
    assert rpc.close() is None
    with pytest.raises(NoSuchCall):
        rpc.answer("1", {"status": "Accepted"})


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("BootNotification", {"chargePointVendor": "Acme"}),
        ("BootNotification", {**BOOT, "chargePointModel": "m" * 21}),
        ("StatusNotification", {"connectorId": 1.0, "errorCode": "NoError", "status": "Available"}),
        ("StartTransaction", {"connectorId": 1, "idTag": "A", "meterStart": float("nan"), "timestamp": "now"}),
        ("Nonsense", {}),
        ("os", {}),
    ],
)
def test_what_we_send_keeps_the_schema_or_is_not_sent(action: str, payload: dict[str, Any]) -> None:
    rpc = session()
    with pytest.raises(InvalidPayload):
        rpc.call(action, payload, "1", 0.0, 30.0)
    assert rpc.next_deadline() is None


@pytest.mark.parametrize("message_id", ["", "x" * 37])
def test_our_message_ids_have_1_to_36_characters(message_id: str) -> None:  # 1.6 Part J table 3
    with pytest.raises(InvalidPayload):
        session().call("Heartbeat", {}, message_id, 0.0, 30.0)


def test_answers_may_be_given_in_any_order_each_once() -> None:
    rpc = session()
    rpc.receive_text('[2,"1","Reset",{"type":"Soft"}]')
    rpc.receive_text('[2,"2","ClearCache",{}]')
    assert json.loads(rpc.answer("2", {"status": "Accepted"})) == [3, "2", {"status": "Accepted"}]
    assert json.loads(rpc.answer("1", {"status": "Rejected"})) == [3, "1", {"status": "Rejected"}]
    with pytest.raises(NoSuchCall):
        rpc.answer("1", {"status": "Accepted"})
    with pytest.raises(NoSuchCall):
        rpc.answer_error("2", InternalError())


def test_an_answer_that_breaks_the_schema_leaves_the_call_open_for_an_error() -> None:
    rpc = session()
    rpc.receive_text('[2,"1","Reset",{"type":"Soft"}]')
    with pytest.raises(InvalidPayload):
        rpc.answer("1", {"status": "Perhaps"})
    assert json.loads(rpc.answer_error("1", InternalError("cannot tell"))) == [
        4,
        "1",
        "InternalError",
        "cannot tell",
        {},
    ]


def test_a_handlers_error_goes_out_with_its_details_in_the_versions_spelling() -> None:
    rpc = session()
    rpc.receive_text('[2,"1","GetConfiguration",{}]')
    sent = rpc.answer_error("1", OccurrenceConstraintViolation("é" * 300, {"most": 50}))
    assert json.loads(sent) == [4, "1", "OccurenceConstraintViolation", "é" * 255, {"most": 50}]


def test_a_message_id_that_is_being_handled_is_refused_and_free_again_afterwards() -> None:  # 1.6 Part J §4.2.3
    rpc = session()
    rpc.receive_text('[2,"1","Reset",{"type":"Soft"}]')
    again = rpc.receive_text('[2,"1","Reset",{"type":"Hard"}]')
    assert isinstance(again, CallRejected)
    assert type(again.error) is GenericError
    rpc.answer("1", {"status": "Accepted"})
    assert isinstance(rpc.receive_text('[2,"1","Reset",{"type":"Hard"}]'), CallReceived)


def test_the_number_of_open_calls_is_bounded() -> None:
    rpc = session()
    for number in range(OPEN_CALLS):
        assert isinstance(rpc.receive_text(f'[2,"{number}","ClearCache",{{}}]'), CallReceived)
    refused = rpc.receive_text('[2,"more","ClearCache",{}]')
    assert isinstance(refused, CallRejected)
    assert type(refused.error) is GenericError
    rpc.answer("0", {"status": "Accepted"})
    assert isinstance(rpc.receive_text('[2,"more","ClearCache",{}]'), CallReceived)


def test_what_is_supported_is_asked_at_each_call() -> None:
    supported = {"ClearCache"}
    rpc = RpcSession(V16, supported)
    assert isinstance(rpc.receive_text('[2,"1","ClearCache",{}]'), CallReceived)
    supported.clear()
    refused = rpc.receive_text('[2,"2","ClearCache",{}]')
    assert isinstance(refused, CallRejected)
    assert type(refused.error) is NotSupported
