"""Reading HTTP responses, good and bad (RFC 6455 §4, RFC 9110)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.csms.upgrade import HEAD_LIMIT, Head, parse_head, retry_after_s

NOW_MS = 1_750_000_000_000


def head(**headers: str) -> Head:
    return Head(429, "", {name.replace("_", "-"): value for name, value in headers.items()}, 0)


def test_a_head_is_read_however_it_is_cut() -> None:
    data = b"HTTP/1.0 401 Go away\r\nA: 1\r\na:2\r\n\r\nbody"
    for length in range(data.index(b"body")):
        assert parse_head(data[:length]) is None
    assert parse_head(data) == Head(401, "Go away", {"a": "1, 2"}, data.index(b"body"))


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: " + b"x" * HEAD_LIMIT,
    ],
)
def test_what_is_no_http_response_is_refused_at_once(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"HTTP|headers"):
        parse_head(data)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    for received in (data, b"HTTP/1.1 200 OK\r\n" + data + b"\r\n\r\n"):
        try:
            parse_head(received)
        except ValueError:
            continue


def test_retry_after_is_read_as_seconds_or_as_a_date_on_the_servers_own_clock() -> None:
    later = "Sun, 06 Nov 1994 08:51:37 GMT"
    assert retry_after_s(head(retry_after="120"), NOW_MS) == 120
    assert retry_after_s(head(retry_after=later, date="Sun, 06 Nov 1994 08:49:37 GMT"), NOW_MS) == 120
    assert retry_after_s(head(retry_after=later), NOW_MS) == 0
    assert retry_after_s(head(retry_after=later), 784111777_000) == 120
    assert retry_after_s(head(), NOW_MS) is None
    assert retry_after_s(head(retry_after="soon"), NOW_MS) is None
    assert retry_after_s(head(retry_after="-5"), NOW_MS) is None


@given(st.text(max_size=60))
def test_no_retry_after_breaks_the_reader(value: str) -> None:
    wait_s = retry_after_s(head(retry_after=value), NOW_MS)
    assert wait_s is None or wait_s >= 0
