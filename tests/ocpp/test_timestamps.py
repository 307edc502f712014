"""Date-times on the wire and as UTC milliseconds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ocpp.timestamps import format_utc_ms, is_rfc3339, parse_utc_ms

NEW_YEAR_2024_MS = 1_704_067_200_000
FIRST_MS, LAST_MS = -62_135_596_800_000, 253_402_300_799_999


@pytest.mark.parametrize(
    ("text", "utc_ms"),
    [
        ("2024-01-01T00:00:00Z", NEW_YEAR_2024_MS),
        ("2024-01-01t00:00:00z", NEW_YEAR_2024_MS),
        ("2024-01-01T00:00:00.5Z", NEW_YEAR_2024_MS + 500),
        ("2024-01-01T00:00:00.1239999999Z", NEW_YEAR_2024_MS + 123),
        ("2024-01-01T05:30:00+05:30", NEW_YEAR_2024_MS),
        ("2023-12-31T19:00:00.250-05:00", NEW_YEAR_2024_MS + 250),
        ("2024-01-01T00:00:00-00:00", NEW_YEAR_2024_MS),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),  # a leap second that there was
        ("1969-12-31T23:59:59.999Z", -1),
    ],
)
def test_rfc_3339_is_understood_in_all_its_forms(text: str, utc_ms: int) -> None:
    assert is_rfc3339(text)
    assert parse_utc_ms(text) == utc_ms


@pytest.mark.parametrize(
    ("text", "utc_ms"),
    [
        ("2024-01-01 00:00:00Z", NEW_YEAR_2024_MS),
        ("2024-01-01T00:00:00", NEW_YEAR_2024_MS),
        ("2024-01-01T00:00Z", NEW_YEAR_2024_MS),
        ("2024-01-01", NEW_YEAR_2024_MS),
        (" 2024-01-01T00:00:00Z ", NEW_YEAR_2024_MS),
    ],
)
def test_sloppy_date_times_are_understood_but_are_not_rfc_3339(text: str, utc_ms: int) -> None:
    assert not is_rfc3339(text)
    assert parse_utc_ms(text) == utc_ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "1704067200",
        "2024-02-30T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:00:61Z",
        "2024-01-01T00:00:00+24:00",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+10:00",
        "9999-12-31T23:59:60Z",
        "٢٠٢٤-01-01T00:00:00Z",
        "2024-01-01T00:00:00." + "0" * 100 + "Z",
        "\x00",
    ],
)
def test_what_names_no_moment_is_refused(text: str) -> None:
    assert not is_rfc3339(text)
    with pytest.raises(ValueError):  # noqa: PT011  the message is the standard library's
        parse_utc_ms(text)


@given(st.integers(FIRST_MS, LAST_MS))
def test_what_is_written_is_rfc_3339_and_reads_back(utc_ms: int) -> None:
    text = format_utc_ms(utc_ms)
    assert len(text) == len("2024-01-01T00:00:00.000Z")
    assert is_rfc3339(text)
    assert parse_utc_ms(text) == utc_ms


@given(st.text(max_size=80) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:]{5,8}[.,0-9]*[Zz+-]?[0-9:]*"))
def test_any_text_is_a_moment_that_can_be_written_or_a_value_error(text: str) -> None:
    try:
        utc_ms = parse_utc_ms(text)
    except ValueError:
        assert not is_rfc3339(text)
    else:
        assert parse_utc_ms(format_utc_ms(utc_ms)) == utc_ms
