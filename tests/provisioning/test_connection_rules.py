"""URL, identity, password, versions and what they must be to each other."""

from __future__ import annotations

import pytest

from provisioning.connection_rules import (
    check_host,
    check_identity,
    check_proxy,
    check_together,
    check_url,
    check_versions,
    connection_url,
    decode_password,
    note_profile,
    note_similar_identity,
)
from provisioning.settings import Csms

NOTHING = frozenset[str]()


@pytest.mark.parametrize(
    ("url", "identity", "dialled"),
    [
        ("wss://csms.example.com/ocpp", "CP001", "wss://csms.example.com/ocpp/CP001"),
        ("wss://csms.example.com/ocpp/", "CP001", "wss://csms.example.com/ocpp/CP001"),
        ("ws://csms.example.com:8080", "CP001", "ws://csms.example.com:8080/CP001"),
        ("ws://[2001:db8::1]:8080/a", "A:1", "ws://[2001:db8::1]:8080/a/A%3A1"),
        ("ws://csms.example.com/ocpp?tenant=7", "a|b@c", "ws://csms.example.com/ocpp/a%7Cb%40c?tenant=7"),
    ],
)
def test_the_identity_is_appended_percent_encoded(url: str, identity: str, dialled: str) -> None:
    """OCPP-J 1.6 §3.1.1."""
    assert check_url(url, identity) == []
    assert connection_url(url, identity) == dialled


@pytest.mark.parametrize(
    ("url", "wrong", "right"),
    [
        ("https://csms.example.com/ocpp", "scheme https://", "wss://csms.example.com/ocpp"),
        ("http://u:secret@csms.example.com", "scheme http://", "ws://csms.example.com"),
        ("csms.example.com/ocpp", "no scheme", "wss://csms.example.com/ocpp"),
        ("csms.example.com:8443/ocpp", "no scheme", "wss://csms.example.com:8443/ocpp"),
        ("wss:csms.example.com", "no scheme", "wss://csms.example.com"),
        ("ftp://csms.example.com", "scheme 'ftp'", "ws:// or wss://"),
        ("", "no scheme", "wss://"),
        ("wss://", "no host", "wss://csms.example.com/ocpp"),
        ("wss:///ocpp", "no host", "wss://csms.example.com/ocpp"),
        ("wss://:8080/ocpp", "no host", "wss://csms.example.com/ocpp"),
        ("wss://csms example.com", "spaces", "without"),
        ("wss://csms.example.com/ocpp ", "spaces", "without"),
        ("wss://csms\u0000.example.com", "control characters", "without"),
        ("wss://csms.exämple.com", "'csms.exämple.com' is not a host name", "IP address"),
        ("wss://csms.example.com:0/", "port", "1 to 65535"),
        ("wss://csms.example.com:65536/", "port", "1 to 65535"),
        ("wss://csms.example.com:abc/", "port", "1 to 65535"),
        ("wss://csms.example.com:/", "port", "1 to 65535"),
        ("wss://CP001:secret@csms.example.com", "user name or a password", "csms.basic_auth_password"),
        ("wss://csms.example.com/#top", "fragment", "leave it off"),
        ("wss://csms.example.com/ocpp/CP001", "would dial wss://csms.example.com/ocpp/CP001/CP001", "/CP001"),
        ("wss://csms.example.com/ocpp/cp001/", "ends with the identity", "leave off /cp001"),
        ("wss://[::1/ocpp", "is not a URL", "wss://"),
        ("wss://a/" + "b" * 3000, "3008 characters", "2048"),
    ],
)
def test_a_mistake_in_the_url_is_named(url: str, wrong: str, right: str) -> None:
    (problem,) = check_url(url, "CP001")
    assert problem.key == "csms.url"
    assert wrong in problem.wrong
    assert right in problem.right
    assert "secret" not in str(problem)


@pytest.mark.parametrize("identity", ["C", "CP001", "a" * 48, "*-_=+|@.", "AZaz09"])
def test_an_identity_of_identifier_string_is_right(identity: str) -> None:
    """2.0.1 part 2 §2.1.4."""
    assert check_identity(identity, 1) == []


@pytest.mark.parametrize(
    ("identity", "wrong"),
    [
        ("CP001 ", "'CP001 ' has a space at its end"),
        (" CP001", "' CP001' has a space at its beginning"),
        ("\tCP001 ", "a space at its beginning and its end"),
        ("", "is empty"),
        ("  ", "is empty"),
        ("a" * 49, "49 characters"),
        ("CP 001", "holds ' '"),
        ("CP/001#", "holds '/' '#'"),
        ("CPé", "holds 'é'"),
        ("CP:001", "holds a colon"),
    ],
)
def test_a_mistake_in_the_identity_is_named(identity: str, wrong: str) -> None:
    (problem,) = check_identity(identity, 1)
    assert wrong in problem.wrong


@pytest.mark.parametrize("security_profile", [0, 3, None])
def test_a_colon_is_right_without_basic_auth(security_profile: int | None) -> None:
    """A00.FR.204: the identity is the user name, which a colon would end."""
    assert check_identity("CP:001", security_profile) == []


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("abcd1234", b"abcd1234"),
        ("0123456789abcdefghij", b"0123456789abcdefghij"),
        ("x" * 40, b"x" * 40),
        ("00112233445566778899aAbBcCdDeEfF", bytes.fromhex("00112233445566778899aabbccddeeff")),
        ("ff" * 20, b"\xff" * 20),
        ("abcdef0123456789", b"abcdef0123456789"),
    ],
)
def test_a_password_for_1_6_is_text_or_hex_for_bytes(text: str, key: bytes) -> None:
    """A00.FR.205 of the whitepaper: 32 to 40 hex digits stand for 16 to 20 bytes."""
    assert decode_password(text, ("1.6",), "CP001") == (key, [], None)


def test_hex_digits_are_only_text_for_2_x() -> None:
    """2.0.1 A00.FR.205: sent as UTF-8, not decoded into octets."""
    assert decode_password("ff" * 20, ("2.0.1",), "CP001") == (b"ff" * 20, [], None)


@pytest.mark.parametrize(
    ("text", "versions", "wrong"),
    [
        ("short12", ("1.6",), "has 7 characters"),
        ("x" * 41, ("1.6",), "has 41 characters"),
        ("", ("1.6",), "has 0 characters"),
        ("fifteen-chars-x", ("2.0.1",), "has 15 characters"),
        ("fifteen-chars-x", ("2.0.1", "1.6"), "has 15 characters"),
        ("f" * 33, ("1.6",), "has 33 hex digits"),
        ("trailing-space ", ("1.6",), "a space at its beginning or end"),
        ("with space in it", ("1.6",), "spaces or control characters"),
        ("bell\a-bell-bell", ("1.6",), "spaces or control characters"),
        ("pässword-1234567", ("1.6",), "outside ASCII"),
        ("100%/sure?#&1234", ("1.6",), "holds # % & / ?, which break in URLs"),
        ("CHARGER-0000001", ("1.6",), "equals the identity"),
    ],
)
def test_a_mistake_in_the_password_is_named_without_repeating_it(
    text: str, versions: tuple[str, ...], wrong: str
) -> None:
    key, (problem,), _ = decode_password(text, versions, "CHARGER-0000001")
    assert key is None
    assert wrong in problem.wrong
    assert not text or text not in str(problem)


def test_risky_characters_of_a_password_are_noted() -> None:
    key, problems, note = decode_password("a+b:c@d$e-f.g_h", ("1.6",), "CP001")
    assert key == b"a+b:c@d$e-f.g_h"
    assert problems == []
    assert note is not None
    assert "$ + : @" in note


@pytest.mark.parametrize(
    ("versions", "wrong"),
    [
        ((), "is empty"),
        (("1.6J", "2.0"), "holds '1.6J', '2.0'"),
        (("1.6", "1.6"), "twice"),
        (("2.0.1", "2.1"), "nothing that this agent speaks"),
    ],
)
def test_a_mistake_in_the_versions_is_named(versions: tuple[str, ...], wrong: str) -> None:
    (problem,) = check_versions(versions, ("1.6",))
    assert wrong in problem.wrong


def test_a_version_to_come_may_stand_beside_one_that_is_spoken() -> None:
    assert check_versions(("2.0.1", "1.6"), ("1.6",)) == []


@pytest.mark.parametrize(
    ("csms", "wrong"),
    [
        (Csms(url="ws://a", security_profile=2), "2 needs a wss:// URL, but csms.url is ws://a"),
        (Csms(security_profile=2), "2 needs a wss:// URL, and no URL is set"),
        (Csms(url="wss://a", security_profile=1), "1 goes without TLS"),
        (Csms(url="wss://a", security_profile=0), "0 goes without TLS"),
        (Csms(url="wss://a", security_profile=3, client_key="k"), "client_certificate missing"),
    ],
)
def test_what_the_profile_sets_must_fit_what_is_there(csms: Csms, wrong: str) -> None:
    (problem,), _ = check_together(csms, frozenset({"security_profile"}))
    assert wrong in problem.wrong
    problems, notes = check_together(csms, NOTHING)
    assert problems == []
    assert any(wrong in note for note in notes)


@pytest.mark.parametrize(
    ("csms", "note"),
    [
        (Csms(url="ws://a", security_profile=0), "for a bench only"),
        (Csms(url="ws://a", security_profile=1), "needs one, and none is set"),
    ],
)
def test_what_is_missing_or_weak_is_noted(csms: Csms, note: str) -> None:
    problems, (found,) = check_together(csms, frozenset({"url"}))
    assert problems == []
    assert note in found


def test_a_complete_connection_has_nothing_to_note() -> None:
    csms = Csms("wss://a", "CP001", 2, ("1.6",), b"12345678", root_ca="pem")
    assert check_together(csms, frozenset(csms._fields)) == ([], [])


@pytest.mark.parametrize(
    ("old", "new", "noted"),
    [
        ("VENDOR_MODEL_123", "vendor-model-123", True),
        ("CP001", "cp001", True),
        ("CP001", "CP001", False),
        ("CP001", "CP002", False),
        (None, "CP001", False),
    ],
)
def test_an_identity_that_looks_like_the_old_one_is_noted(old: str | None, new: str, noted: bool) -> None:
    assert (note_similar_identity(Csms(identity=old), Csms(identity=new)) is not None) == noted


@pytest.mark.parametrize(("old", "new", "noted"), [(2, 1, True), (3, 0, True), (1, 2, False), (2, 2, False)])
def test_a_lower_security_profile_is_said_in_words(old: int, new: int, noted: bool) -> None:
    note = note_profile(Csms(security_profile=old), Csms(security_profile=new))
    assert (note is not None) == noted
    assert note is None or f"lowered from {old} to {new}" in note


@pytest.mark.parametrize(
    ("before", "change", "words"),
    [
        (Csms(url="ws://a"), Csms(security_profile=0), None),
        (Csms(url="ws://a"), Csms(url="ws://b"), None),
        (Csms(url="ws://a"), Csms(url="WSS://a"), "follows csms.url: it is 2 now"),
        (Csms(url="ws://a"), Csms(url="wss://a", security_profile=2), None),
        (Csms(url="wss://a"), Csms(url="ws://a"), "lowered from 2 to 1"),
        (Csms(url="wss://a"), Csms(url="ws://a", security_profile=0), "lowered from 2 to 0"),
    ],
)
def test_where_nobody_had_set_a_profile_only_tls_can_be_lost(before: Csms, change: Csms, words: str | None) -> None:
    note = note_profile(before, change)
    assert (note is None) == (words is None)
    assert words is None or words in (note or "")


@pytest.mark.parametrize("url", ["http://10.0.0.1:3128", "http://proxy.example.org:80/", "http://[::1]:3128"])
def test_a_proxy_is_right(url: str) -> None:
    assert check_proxy(url) == []


@pytest.mark.parametrize(
    "url", ["https://a:1", "http://a", "a:3128", "http://u:p@a:1", "http://a:1/x", "http://a:99999", "http://a b:1"]
)
def test_a_mistake_in_the_proxy_is_named(url: str) -> None:
    (problem,) = check_proxy(url)
    assert problem.key == "network.proxy"


@pytest.mark.parametrize(
    ("host", "right"), [("pool.example.org", True), ("10.0.0.1", True), ("ntp://a", False), ("", False)]
)
def test_hosts(host: str, right: bool) -> None:
    assert (check_host(host, "network.time_servers") == []) == right
