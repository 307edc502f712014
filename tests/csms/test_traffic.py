"""Bytes by message and day; frames in the log without secrets."""

from __future__ import annotations

import json
import logging

import pytest

from agent.csms.traffic import MS_PER_DAY, Traffic, redacted, trace

DAY_MS = 20_000 * MS_PER_DAY


def test_bytes_are_counted_by_action_and_begin_anew_each_day() -> None:
    traffic = Traffic()
    traffic.count("Heartbeat", "x" * 30, DAY_MS)
    traffic.count("MeterValues", "x" * 300, DAY_MS + 5)
    traffic.count("Heartbeat", "x" * 20, DAY_MS + 10)
    assert list(traffic.today(DAY_MS + 20).items()) == [("MeterValues", 300), ("Heartbeat", 50)]
    assert traffic.today(DAY_MS + MS_PER_DAY) == {}


def test_only_the_last_days_are_kept() -> None:
    traffic = Traffic()
    for day in range(30):
        traffic.count("Heartbeat", "x", DAY_MS + day * MS_PER_DAY)
    assert traffic.today(DAY_MS) == {}
    assert traffic.today(DAY_MS + 29 * MS_PER_DAY) == {"Heartbeat": 1}


@pytest.mark.parametrize(
    "frame",
    [
        '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"s3cret-key"}]',
        '[2,"1","ChangeConfiguration",{"value":"s3cret-key","key":"aUTHORIZATIONkEY"}]',
        '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"s3cret-key"',
        '["AuthorizationKey","s3cret-key"]',
        '[2,"1","ChangeConfiguration",{"key":"Authorization\\u004bey","value":"s3cret-key"}]',
        '[2,"1","ChangeConfiguration",{"key":"x","value":"s3cret-key","key":"Authorization\\u004bey"}]',
    ],
)
def test_a_key_is_never_shown_whatever_the_frame_looks_like(frame: str) -> None:
    assert "s3cret-key" not in redacted(frame)


def test_other_frames_are_shown_and_bounded() -> None:
    frame = json.dumps([2, "1", "Heartbeat", {}])
    assert redacted(frame) == frame
    assert len(redacted("x" * 100_000)) == 2000


def test_frames_are_logged_at_level_debug_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    trace("sent", '[2,"1","Heartbeat",{}]')
    assert not caplog.records
    caplog.set_level(logging.DEBUG)
    trace("sent", '[2,"1","Heartbeat",{}]')
    assert caplog.messages == ['sent [2,"1","Heartbeat",{}]']
