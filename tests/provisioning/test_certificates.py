"""Certificates and keys: what would lock the station out is refused, what may be meant is noted."""

from __future__ import annotations

import hashlib
import re

import pytest

from provisioning.certificates import check_client_pair, check_roots, described, merged

from .credentials import NOW_MS, Credential, make


@pytest.fixture(scope="module")
def root() -> Credential:
    return make("Root", ca=True)


@pytest.fixture(scope="module")
def leaf(root: Credential) -> Credential:
    return make("CP001", signed_by=root)


def test_several_roots_are_right(root: Credential) -> None:
    text = f"# our roots\r\n{root.pem}{make('Next root', ca=True).pem}".replace("\n", "\r\n")
    assert check_roots(text, NOW_MS) == ([], [])


def test_a_servers_own_certificate_is_no_root(leaf: Credential) -> None:
    findings = check_roots(leaf.pem, NOW_MS)
    assert "CP001" in findings.wrong[0][0]
    assert "is not a CA certificate" in findings.wrong[0][0]


def test_an_intermediate_is_noted(root: Credential) -> None:
    findings = check_roots(make("Sub", ca=True, signed_by=root).pem, NOW_MS)
    assert findings.wrong == []
    assert "add the root" in findings.notes[0]


@pytest.mark.parametrize(
    ("from_days", "to_days", "note"),
    [
        (-10, -1, "expired on 2030-05-31; this device's clock says 2030-06-01 00:00 UTC"),
        (1, 10, "not valid before 2030-06-02; this device's clock says 2030-06-01 00:00 UTC, which may be wrong"),
    ],
)
def test_a_root_out_of_its_time_is_noted_with_the_clock(from_days: int, to_days: int, note: str) -> None:
    findings = check_roots(make("Root", ca=True, from_days=from_days, to_days=to_days).pem, NOW_MS)
    assert findings.wrong == []
    assert note in findings.notes[0]


def test_a_private_key_among_the_roots_is_refused(root: Credential) -> None:
    ((wrong, _),) = check_roots(root.pem + root.key_pem(), NOW_MS).wrong
    assert wrong == "holds a private key"


def test_text_that_is_no_certificate_is_refused(root: Credential) -> None:
    damaged = root.pem.replace("M", "!", 1)
    for text, words in (
        ("hello", "holds no certificate"),
        ("-----BEGIN CERTIFICATE-----\nMII", "cut off"),
        (f"{root.pem}{root.pem[:200]}", "cut off"),
        (damaged, "no. 1 cannot be read"),
        (f"{root.pem}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "no. 2 cannot be read"),
    ):
        assert words in check_roots(text, NOW_MS).wrong[0][0]


def test_a_hostile_text_is_refused_in_no_time() -> None:
    assert check_roots("-----BEGIN CERTIFICATE-----\n" * 9_000, NOW_MS).wrong


def test_a_certificate_and_its_key_are_right(root: Credential, leaf: Credential) -> None:
    assert check_client_pair(leaf.pem + root.pem, leaf.key_pem(), NOW_MS) == ([], [])


def test_a_foreign_key_is_refused(root: Credential, leaf: Credential) -> None:
    ((wrong, _),) = check_client_pair(leaf.pem, root.key_pem(), NOW_MS).wrong
    assert "does not belong" in wrong
    assert "CP001" in wrong


@pytest.mark.parametrize("kind", ["encrypted", "garbage", "certificate"])
def test_a_key_that_the_station_cannot_use_is_refused(leaf: Credential, kind: str) -> None:
    key = {"encrypted": leaf.key_pem(b"passphrase"), "garbage": "secret", "certificate": leaf.pem}[kind]
    ((wrong, _),) = check_client_pair(leaf.pem, key, NOW_MS).wrong
    assert wrong == ("the key is encrypted" if kind == "encrypted" else "the key cannot be read")


def test_an_expired_client_certificate_and_a_ca_in_its_place_are_noted(root: Credential) -> None:
    old = make("CP001", signed_by=root, from_days=-9, to_days=-1)
    assert "expired" in check_client_pair(old.pem, old.key_pem(), NOW_MS).notes[0]
    assert "must come first" in check_client_pair(root.pem, root.key_pem(), NOW_MS).notes[0]


def test_merging_keeps_each_certificate_once(root: Credential) -> None:
    other = make("Other", ca=True)
    both = merged(root.pem, f"comment\n{other.pem}{root.pem}".replace("\n", "\r\n"))
    assert both == root.pem + other.pem
    assert merged(both, root.pem) == both
    assert merged(None, other.pem) == other.pem


def test_certificates_are_told_apart_as_openssl_shows_them() -> None:
    one, two = make("One", ca=True), make("Two", ca=True, to_days=10)
    first, second = described(one.pem + two.pem).split("; ")
    digest = hashlib.sha256(one.der).hexdigest().upper()
    assert first == f'"CN=One", expires 2031-06-01, SHA-256 {":".join(re.findall("..", digest))}'
    assert second.startswith('"CN=Two", expires 2030-06-11, SHA-256 ')


def test_what_cannot_be_read_is_said_in_its_place() -> None:
    good = make("One", ca=True).pem
    assert described(good[:200]) == "holds a certificate that is cut off"
    assert "; its certificate no. 2 cannot be read" in described(good + good.replace("\nMII", "\nAAA"))
