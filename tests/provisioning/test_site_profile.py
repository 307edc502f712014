"""A site profile is accepted as a whole, or refused with every mistake in it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.apply import apply_profile, plan
from provisioning.errors import DocumentError, SettingsError
from provisioning.settings import Content, Csms, Network, Settings
from provisioning.single_setting import read_setting
from provisioning.site_profile import SiteProfile, read_document, read_profile

from .bench_station import HEARTBEAT, POWER, BenchCatalogue
from .credentials import NOW_MS, make

CATALOGUE = BenchCatalogue()
NOTHING_SET = Content()


def read(path: Path, text: str, current: Content = NOTHING_SET) -> SiteProfile:
    file = path / "site.toml"
    file.write_text(text, encoding="utf-8")
    return read_profile(file, current, CATALOGUE, NOW_MS)


def mistakes(path: Path, text: str, current: Content = NOTHING_SET) -> dict[str, str]:
    """By key, what is wrong and what would be right."""
    with pytest.raises(DocumentError) as refusal:
        read(path, text, current)
    assert str(path / "site.toml") in str(refusal.value)
    return {problem.key: f"{problem.wrong}; {problem.right}" for problem in refusal.value.problems}


def test_a_whole_profile_becomes_settings(tmp_path: Path) -> None:
    root, maker = make("Root", ca=True), make("Maker", ca=True)
    station = make("CP001", signed_by=root)
    for name, text in {
        "csms-root.pem": root.pem,
        "cp.pem": station.pem,
        "cp.key": station.key_pem(),
        "manufacturer-root.pem": maker.pem,
    }.items():
        (tmp_path / name).write_text(text)
    profile = read(
        tmp_path,
        """
        [csms]
        url = "wss://csms.example.com/ocpp"
        identity = "CP001"
        security_profile = 2
        versions = ["1.6"]
        basic_auth_password = "00112233445566778899aabbccddeeff"
        root_ca = "csms-root.pem"
        client_certificate = "cp.pem"
        client_key = "cp.key"
        [firmware]
        root_ca = "manufacturer-root.pem"
        [configuration]
        HeartbeatInterval = 300
        [variables."EVSE#1"]
        Power = 7400.5
        [network]
        proxy = "http://10.0.0.1:3128"
        time_servers = ["pool.example.org"]
        """,
    )
    assert profile.notes == ()
    settings = Settings.load(tmp_path / "state")
    changes = apply_profile(settings, profile, CATALOGUE)
    content = Settings.load(tmp_path / "state").content
    assert content == settings.content
    assert content.csms == Csms(
        "wss://csms.example.com/ocpp",
        "CP001",
        2,
        ("1.6",),
        bytes.fromhex("00112233445566778899aabbccddeeff"),
        root.pem,
        station.pem,
        station.key_pem(),
    )
    assert content.firmware.root_ca == maker.pem
    assert content.network == Network("http://10.0.0.1:3128", ("pool.example.org",))
    assert content.variables == {HEARTBEAT: "300", POWER: "7400.5"}
    assert len(changes) == 13
    assert "00112233" not in repr((changes, profile))
    assert "PRIVATE" not in repr((changes, profile))
    # what goes over a wire needs no files, and gives the same settings
    sent = json.loads(json.dumps(profile.document))
    assert read_document(sent, NOTHING_SET, CATALOGUE, NOW_MS)[:5] == profile[:5]


def test_every_mistake_is_named(tmp_path: Path) -> None:
    (tmp_path / "der.crt").write_bytes(make("Root", ca=True).der)
    found = mistakes(
        tmp_path,
        """
        url = "wss://csms.example.com"
        [csms]
        url = "https://csms.example.com/ocpp"
        identity = "CP001 "
        identiti = "CP001"
        security_profile = "2"
        versions = "1.6"
        basic_auth_password = "a b"
        root_ca = "missing.pem"
        client_certificate = "der.crt"
        [firmware]
        root_ca = 7
        [configuration]
        HeartbeatIntervall = 300
        HeartbeatInterval = "soon"
        AuthorizationKey = "0123456789abcdef"
        [variables.SecurityCtrlr]
        SecurityProfile = 1
        [variables]
        Power = 7
        [network]
        proxy = "10.0.0.1:3128"
        time_servers = ["ntp://pool"]
        [networks]
        """,
    )
    expected = {
        "url": "write it as csms.url",
        "csms.url": "write wss://csms.example.com/ocpp",
        "csms.identity": "'CP001 ' has a space at its end; write 'CP001'",
        "csms.identiti": "did you mean csms.identity?",
        "csms.security_profile": "is a text; write a whole number from 0 to 3, without quotes",
        "csms.versions": "is a text; write a list",
        "csms.basic_auth_password": "has 3 characters",
        "csms.root_ca": "No such file or directory; put the file beside the profile",
        "csms.client_certificate": "openssl x509 -inform der -in der.crt",
        "firmware.root_ca": "is a number",
        "configuration.HeartbeatIntervall": "did you mean configuration.HeartbeatInterval?",
        "configuration.HeartbeatInterval": "is soon; write a whole number",
        "configuration.AuthorizationKey": "write it as csms.basic_auth_password",
        "variables.SecurityCtrlr.SecurityProfile": "write it as csms.security_profile",
        "variables.Power": "is a number; write a table: [variables.Power]",
        "network.proxy": "write http://host:port",
        "network.time_servers": "'ntp://pool' is not a host name",
        "networks": "did you mean network?",
    }
    assert found.keys() == expected.keys() | {"csms.basic_auth_password"}
    for key, words in expected.items():
        if key != "csms.basic_auth_password":
            assert words in found[key], key


def test_a_profile_may_set_next_to_nothing(tmp_path: Path) -> None:
    profile = read(tmp_path, "")
    assert plan(profile, NOTHING_SET, CATALOGUE) == []
    assert read(tmp_path, "[csms]\n").csms == Csms()


def test_a_text_with_a_byte_order_mark_and_crlf_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, '\ufeff[csms]\r\nidentity = "CP001"\r\n').csms.identity == "CP001"


def test_what_is_not_a_profile_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large.toml").write_text("#" * 300_000)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "broken.toml").write_text("[csms]\nurl = wss://csms\n")
    (tmp_path / "deep.toml").write_text("a = " + "[" * 50_000)
    for name, words in {
        "absent.toml": "No such file",
        ".": "it is a directory",
        "pipe": "not a regular file",
        "large.toml": "larger than 256 KiB",
        "binary": "is not a TOML text",
        "broken.toml": "at line 2",
        "deep.toml": "is not a TOML text",
    }.items():
        with pytest.raises(DocumentError, match=words):
            read_profile(tmp_path / name, NOTHING_SET, CATALOGUE, NOW_MS)


def test_the_checks_see_what_is_set_and_what_the_factory_set(tmp_path: Path) -> None:
    wrong = mistakes(tmp_path, "[csms]\nsecurity_profile = 2")["csms.security_profile"]
    assert (
        "but csms.url is ws://factory.example.com; give csms.url as a wss:// address in the same site profile" in wrong
    )
    provisioned = Content(Csms(url="wss://csms.example.com", identity="CP001", basic_auth_password=b"12345678"))
    assert read(tmp_path, "[csms]\nsecurity_profile = 2", provisioned).effective == Csms(
        "wss://csms.example.com", "CP001", 2, ("1.6",), b"12345678"
    )
    text = '[csms]\nidentity = "FACTORY"\nurl = "ws://csms.example.com/FACTORY"'
    assert "ends with the identity" in mistakes(tmp_path, text)["csms.url"]
    assert "ends with the identity" in mistakes(tmp_path, '[csms]\nurl = "ws://a/factory"')["csms.url"]
    already = Content(Csms(url="ws://a/CP7"))
    assert "ends with the identity" in mistakes(tmp_path, '[csms]\nidentity = "CP7"', already)["csms.url"]
    assert (
        "equals the identity"
        in mistakes(tmp_path, '[csms]\nbasic_auth_password = "CHARGER-1"', Content(Csms(identity="CHARGER-1")))[
            "csms.basic_auth_password"
        ]
    )


def test_a_wss_url_alone_is_a_whole_profile(tmp_path: Path) -> None:
    profile = read(tmp_path, '[csms]\nurl = "wss://csms.example.com"')
    assert profile.csms.security_profile is None
    assert profile.effective.security_profile == 2
    assert "csms.security_profile: is not set and follows csms.url: it is 2 now" in profile.notes
    assert "csms.basic_auth_password: security profile 2 needs one, and none is set" in profile.notes


def test_a_profile_that_was_set_does_not_follow_the_url(tmp_path: Path) -> None:
    current = Content(Csms(security_profile=1))
    wrong = mistakes(tmp_path, '[csms]\nurl = "wss://csms.example.com"', current)["csms.security_profile"]
    assert "1 goes without TLS" in wrong
    assert "give csms.security_profile as 2 (3 with a client certificate) in the same site profile" in wrong


def test_what_nobody_had_set_is_not_lowered(tmp_path: Path) -> None:
    notes = read(tmp_path, "[csms]\nsecurity_profile = 0").notes
    assert not any("lowered" in note for note in notes)


def test_a_colon_in_an_identity_that_is_set_stands_against_basic_auth(tmp_path: Path) -> None:
    colon = Content(Csms(url="ws://a", identity="A:1", security_profile=0))
    assert "colon" in mistakes(tmp_path, "[csms]\nsecurity_profile = 1", colon)["csms.identity"]
    assert read(tmp_path, "[csms]\nsecurity_profile = 0", colon).csms.security_profile == 0


def test_doubts_are_noted(tmp_path: Path) -> None:
    current = Content(Csms("wss://a", "CP_001", 2, None, b"12345678", root_ca="pem"))
    text = '[csms]\nurl = "ws://a"\nidentity = "cp-001"\nsecurity_profile = 1\nbasic_auth_password = "a+b-c+d-e"'
    notes = "\n".join(read(tmp_path, text, current).notes)
    assert "is lowered from 2 to 1" in notes
    assert "cp-001 differs from CP_001 only in case or separators" in notes
    assert "csms.basic_auth_password: +" in notes


def test_security_profile_3_needs_certificate_and_key(tmp_path: Path) -> None:
    station, other = make("CP001"), make("CP002")
    (tmp_path / "cp.pem").write_text(station.pem)
    (tmp_path / "cp.key").write_text(station.key_pem())
    (tmp_path / "other.key").write_text(other.key_pem())
    base = '[csms]\nurl = "wss://a"\nsecurity_profile = 3\n'
    assert "client_certificate and client_key missing" in mistakes(tmp_path, base)["csms.security_profile"]
    assert "is missing" in mistakes(tmp_path, f'{base}client_certificate = "cp.pem"')["csms.client_key"]
    pair = f'{base}client_certificate = "cp.pem"\nclient_key = "{{}}"'
    assert "does not belong" in mistakes(tmp_path, pair.format("other.key"))["csms.client_certificate"]
    both = read(tmp_path, pair.format("cp.key"))
    assert both.csms.client_key == station.key_pem()
    # a new key alone must fit the certificate that is set
    alone = '[csms]\nclient_key = "other.key"'
    assert "does not belong" in mistakes(tmp_path, alone, Content(both.csms))["csms.client_certificate"]


def test_a_root_may_be_text_and_a_key_in_its_place_is_refused(tmp_path: Path) -> None:
    root = make("Root", ca=True)
    assert read(tmp_path, f'[csms]\nroot_ca = """\n{root.pem}"""').csms.root_ca == root.pem
    found = mistakes(tmp_path, f'[csms]\nroot_ca = """\n{root.key_pem()}"""\n[firmware]\nroot_ca = "a\\u0000b"')
    assert "holds a private key" in found["csms.root_ca"]
    assert "is not a file name" in found["firmware.root_ca"]
    assert root.key_pem().splitlines()[1] not in str(found)


def test_a_document_from_a_wire_opens_no_file(tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_text(make("Root", ca=True).pem)
    with pytest.raises(DocumentError, match="files are not opened here"):
        read_document({"csms": {"root_ca": str(tmp_path / "root.pem")}}, NOTHING_SET, CATALOGUE, NOW_MS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CSMS_KEYS = st.sampled_from(Csms._fields)
SECTIONS = st.fixed_dictionaries(
    {},
    optional={
        "csms": JSON | st.dictionaries(CSMS_KEYS, JSON),
        "firmware": JSON | st.fixed_dictionaries({"root_ca": JSON}),
        "configuration": JSON,
        "variables": JSON | st.dictionaries(st.text(), JSON, max_size=3),
        "network": JSON | st.fixed_dictionaries({"proxy": JSON, "time_servers": JSON}),
    },
)


@hypothesis.settings(deadline=None)  # a disk that others use, too, is as slow as it is
@given(JSON | SECTIONS)
def test_whatever_comes_over_a_wire_is_read_or_refused(document: object) -> None:
    try:
        profile = read_document(document, NOTHING_SET, CATALOGUE, NOW_MS)  # type: ignore[arg-type]  # hostile
    except DocumentError:
        return
    plan(profile, NOTHING_SET, CATALOGUE)


def test_one_setting_under_two_names_must_agree(tmp_path: Path) -> None:
    text = "[configuration]\nHeartbeatInterval = 300\n[variables.OCPPCommCtrlr]\nHeartbeatInterval = {}"
    found = mistakes(tmp_path, text.format(60))
    assert "contradicts configuration.HeartbeatInterval" in found["variables.OCPPCommCtrlr.HeartbeatInterval"]
    assert read(tmp_path, text.format(300)).variables == {HEARTBEAT: "300"}


@pytest.mark.parametrize("value", ["[1, 2]", "nan", "inf", "2030-01-01", "{a = 1}"])
def test_a_value_of_a_strange_kind_is_refused(tmp_path: Path, value: str) -> None:
    assert (
        "of a kind that no setting has"
        in mistakes(tmp_path, f'[variables."EVSE#1"]\nPower = {value}')['variables."EVSE#1".Power']
    )


@pytest.mark.parametrize(
    ("value", "text"), [("true", "true"), ("0.1", "0.1"), ("1e3", "1000"), ("10.0", "10"), ('"x"', "x")]
)
def test_values_become_ocpps_text(tmp_path: Path, value: str, text: str) -> None:
    assert read(tmp_path, f'[variables."EVSE#1"]\nPower = {value}').variables == {POWER: text}


def test_the_plan_names_what_differs_and_shows_no_secret(tmp_path: Path) -> None:
    root = make("Root", ca=True)
    current = Content(Csms("ws://a", "CP001", 1, None, b"old-password"), variables={HEARTBEAT: "300"})
    profile = read(
        tmp_path,
        f'[csms]\nurl = "wss://b"\nidentity = "CP001"\nsecurity_profile = 2\nbasic_auth_password = "new-password"\n'
        f'root_ca = """{root.pem}"""\n[configuration]\nHeartbeatInterval = 60',
        current,
    )
    changes = {key: (old, new) for key, old, new in plan(profile, current, CATALOGUE)}
    assert changes.pop("csms.root_ca")[1].startswith('"CN=Root", expires 2031-06-01, SHA-256 ')
    assert changes == {
        "csms.url": ("ws://a", "wss://b"),
        "csms.security_profile": ("1", "2"),
        "csms.basic_auth_password": ("set", "changed"),
        "configuration.HeartbeatInterval": ("300", "60"),
    }


def test_the_plan_shows_what_counted_while_nothing_was_set(tmp_path: Path) -> None:
    text = (
        '[csms]\nurl = "ws://b"\nidentity = "factory"\nsecurity_profile = 1\nbasic_auth_password = "correct-horse"\n'
        '[configuration]\nHeartbeatInterval = 60\n[variables."EVSE#1"]\nPower = 7'
    )
    assert plan(read(tmp_path, text), NOTHING_SET, CATALOGUE) == [
        ("csms.url", "ws://factory.example.com (factory)", "ws://b"),
        ("csms.identity", "FACTORY (factory)", "factory"),
        ("csms.security_profile", "1 (follows csms.url)", "1"),
        ("csms.basic_auth_password", "not set", "set"),
        ("configuration.HeartbeatInterval", "86400 (factory)", "60"),
        ('variables."EVSE#1".Power', "not set", "7"),
    ]


def test_a_profile_that_cannot_be_written_changes_nothing_in_memory_either(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    settings = Settings(tmp_path / "state", {})
    profile = read(tmp_path, '[csms]\nidentity = "CP001"')
    with pytest.raises(SettingsError):
        apply_profile(settings, profile, CATALOGUE)
    assert settings.content == NOTHING_SET


def test_an_empty_text_takes_a_root_and_the_proxy_away(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path)
    settings.update(csms=Csms(root_ca="pem"), network=Network(proxy="http://a:1"))
    settings.save()
    profile = read(tmp_path, '[csms]\nroot_ca = ""\n[network]\nproxy = ""', settings.content)
    assert [tuple(change)[1:] for change in apply_profile(settings, profile, CATALOGUE)][1] == ("http://a:1", "not set")
    assert Settings.load(tmp_path).content == Content()


@pytest.mark.parametrize(
    ("key", "value", "document"),
    [
        ("csms.url", "ws://a", {"csms": {"url": "ws://a"}}),
        ("csms.security_profile", "1", {"csms": {"security_profile": 1}}),
        ("csms.versions", "1.6, 2.0.1", {"csms": {"versions": ["1.6", "2.0.1"]}}),
        ("network.time_servers", "", {"network": {"time_servers": []}}),
        ("configuration.HeartbeatInterval", "300", {"configuration": {"HeartbeatInterval": "300"}}),
        ('variables."EVSE#1".Power', "7", {"variables": {"EVSE#1": {"Power": "7"}}}),
    ],
)
def test_a_single_setting_is_a_small_profile(key: str, value: str, document: dict[str, object]) -> None:
    assert read_setting(key, value, NOTHING_SET, CATALOGUE, NOW_MS).document == document


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("", "'': is not a setting; write it as in the site profile, e.g. csms.url"),
        ("fly", "fly: is not a setting; write it as in the site profile, e.g. csms.url"),
        ("csms.", "csms.: is not a setting; did you mean csms.url?"),
        ("csms.url = 1\n", "'csms.url = 1\\n': is not a setting; did you mean csms.url?"),
        ("[csms]", "[csms]: is not a setting"),
        ("a.b = 0 #", "a.b = 0 #: is not a setting"),
        ("csms url", "csms url: is not a setting; did you mean csms.url?"),
        ("cmss.url", "cmss.url: is not a setting; did you mean csms.url?"),
        ("URL", "URL: is not a setting; did you mean csms.url?"),
        ("HeartbeatInterval", "HeartbeatInterval: is not a setting; did you mean configuration.HeartbeatInterval?"),
        ("EVSE#1.Power", "EVSE#1.Power: is not a setting"),
        ('"EVSE#1".Power', '"EVSE#1".Power: is not a setting; did you mean variables."EVSE#1".Power?'),
        ("csms.urll", "csms.urll: is not a known key; did you mean csms.url?"),
        ("configuration.Heartbeat", "configuration.Heartbeat: is not a known key; did you mean configuration.Heart"),
    ],
)
def test_what_is_no_setting_is_refused_with_the_one_that_may_be_meant(key: str, told: str) -> None:
    with pytest.raises(DocumentError) as refused:
        read_setting(key, "x", NOTHING_SET, CATALOGUE, NOW_MS)
    assert str(refused.value).startswith(told)
