"""Whatever a CSMS sends, a session answers or ignores it, and goes on."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.ocpp.errors import InternalError
from agent.ocpp.rpc import CallFailed, CallReceived, CallRejected, CallSucceeded, RpcSession
from agent.ocpp.versions import V16, OcppVersion

V2_MANNERS = OcppVersion("2.0.1", "ocpp2.0.1", "v16", {}, answers_unreadable=True)
SUPPORTED = {"Reset", "ClearCache", "ChangeConfiguration", "GetConfiguration", "RemoteStartTransaction", "DataTransfer"}

VALID = [
    '[2,"1","Reset",{"type":"Hard"}]',
    '[2,"2","ClearCache",{}]',
    '[2,"3","ChangeConfiguration",{"key":"HeartbeatInterval","value":"60"}]',
    '[2,"4","GetConfiguration",{"key":["HeartbeatInterval","Größe"]}]',
    '[2,"5","DataTransfer",{"vendorId":"org.example","data":"\\u00fc\\ud83d\\ude97"}]',
    '[2,"6","RemoteStartTransaction",{"idTag":"A","chargingProfile":{"chargingProfileId":1,"stackLevel":0,'
    '"chargingProfilePurpose":"TxProfile","chargingProfileKind":"Absolute","validFrom":"2024-01-01T00:00:00Z",'
    '"chargingSchedule":{"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":21.4}]}}}]',
    '[3,"ours",{"status":"Accepted","currentTime":"2024-01-01T00:00:00Z","interval":300}]',
    '[4,"ours","InternalError","no",{"cause":"none"}]',
]
SCRAPS = [
    "", "[", "]", "{", "}", '"', ",", ":", "null", "true", "NaN", "-", "1e999", "9" * 4400, "2", "\\", "\\u", "\\ud800",
    "\x00", "\ufeff", "é", "[" * 2000, '{"a":' * 2000, '"ours"', '"' + "x" * 300 + '"', "2024-13-01T00:00:00Z", "0.05",
]  # fmt: skip

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.sampled_from(["ours", "1"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)
IDS = st.sampled_from(["ours", "1", "", "x" * 37, "x" * 400]) | VALUES
ACTIONS = (
    st.sampled_from([*sorted(SUPPORTED), "BootNotification", "SetChargingProfile", "__init__", "schemas"]) | VALUES
)
SHAPED = st.builds(
    lambda kind, message_id, action, payload, length: json.dumps([kind, message_id, action, payload, {}][:length]),
    st.sampled_from([2, 3, 4, 4.0, 1, "2", None, True]) | VALUES,
    IDS,
    ACTIONS,
    VALUES,
    st.integers(0, 5),
)


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """A valid frame with a few pieces cut out, doubled or replaced."""
    frame = draw(st.sampled_from(VALID))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(frame)))
        end = min(len(frame), start + draw(st.integers(0, 12)))
        piece = draw(st.sampled_from(SCRAPS) | st.just(frame[start:end] * 2) | st.text(max_size=4))
        frame = frame[:start] + piece + frame[end:]
    return frame


FRAMES = st.one_of(
    mutations(),
    mutations(),
    SHAPED,
    st.text(max_size=200),
    st.binary(max_size=200),
    mutations().map(lambda f: f.encode("utf-8", "surrogatepass")),
)


def live_through(version: OcppVersion, frame: str | bytes) -> None:
    rpc = RpcSession(version, SUPPORTED)
    rpc.call("BootNotification", {"chargePointVendor": "a", "chargePointModel": "b"}, "ours", 0.0, 30.0)

    event = rpc.receive_text(frame)

    assert repr(event)
    if isinstance(event, CallReceived):
        assert event.action in SUPPORTED
        json.dumps(event.payload, ensure_ascii=False, allow_nan=False).encode()
        rpc.answer_error(event.message_id, InternalError())
    elif isinstance(event, CallRejected):
        kind, message_id, code, description, details = json.loads(event.frame)
        assert kind == 4
        assert message_id == event.message_id
        assert isinstance(code, str)
        assert len(description) <= 255
        assert isinstance(details, dict)
        assert event.frame.isascii()
        assert len(event.frame) < 5000
    # Our own call is answered or still waits: it is never lost.
    answered = isinstance(event, CallSucceeded | CallFailed)
    assert (rpc.next_deadline() is None) == answered
    assert (rpc.tick(30.0) is None) == answered
    assert isinstance(rpc.receive_text('[2,"next","ClearCache",{}]'), CallReceived)


@settings(max_examples=2500, deadline=None)
@given(FRAMES)
def test_a_1_6_session_survives_any_frame(frame: str | bytes) -> None:
    live_through(V16, frame)


@settings(max_examples=1000, deadline=None)
@given(FRAMES)
def test_a_session_with_the_manners_of_2_x_survives_any_frame(frame: str | bytes) -> None:
    live_through(V2_MANNERS, frame)


@settings(max_examples=60, deadline=None)
@given(st.lists(FRAMES, max_size=40))
def test_a_session_survives_any_sequence_of_frames(frames: list[str | bytes]) -> None:
    rpc = RpcSession(V16, SUPPORTED)
    for frame in frames:
        rpc.receive_text(frame)
    rpc.close()
    assert isinstance(rpc.receive_text('[2,"next","ClearCache",{}]'), CallReceived)
