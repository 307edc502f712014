"""TLS with the CSMS: what is accepted, and the one diagnosis each refusal has (A00.FR.307..322, A00.FR.411..424)."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.csms.backoff import ATTEMPTS_PER_MINUTE, DialLimit
from agent.csms.diagnosis import Diagnosis, DiagnosisCode, DialFailed, Phase
from agent.csms.dial import Established, Timeouts, dial
from agent.csms.inspection import Inspector
from agent.csms.tls import client_context

from .authority import NOW, YEAR, Issued, issue
from .loopback import RawServer, accept_upgrade, an_inspector, answers, blocking_tls_server, raw_server, silence, target

ROOT = issue("Example Root", authority=True)
INTERMEDIATE = issue("Example Issuing CA", ROOT, authority=True)
OTHER_ROOT = issue("Other Root", authority=True, organisation="Somebody Else")
LOCALHOST = issue("localhost", ROOT, names=("localhost",))
STATION = issue("A-0001", ROOT)


Versions = tuple[ssl.TLSVersion, ssl.TLSVersion]
ONLY_1_1: Versions = (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1)
ONLY_1_2: Versions = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
ONLY_1_3: Versions = (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3)


def server_context(
    tmp_path: Path,
    leaf: Issued = LOCALHOST,
    *sent_along: Issued,
    client_ca: Issued | None = None,
    versions: Versions | None = None,
    ciphers: str | None = None,
) -> ssl.SSLContext:
    """The context of a server that presents `leaf` and the certificates `sent_along`."""
    file = tmp_path / "server.pem"
    file.write_text(leaf.key_pem + leaf.pem + "".join(one.pem for one in sent_along))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_ca.pem)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.1 is offered here on purpose
        if versions is not None:
            context.minimum_version, context.maximum_version = versions
        if ciphers is not None:
            context.set_ciphers(ciphers)
    return context


@asynccontextmanager
async def csms(tmp_path: Path, *certificates: Issued, **options: Any) -> AsyncIterator[RawServer]:
    """A CSMS with that context."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.requests.append(await accept_upgrade(reader, writer))
        await reader.read()

    async with raw_server(serve, ssl=server_context(tmp_path, *certificates, **options)) as server:
        yield server


def profile_2(url: str, **changes: Any) -> Any:
    return target(url, security_profile=2, password=b"s3cretpass", root_ca_pem=ROOT.pem)._replace(**changes)


async def connected(url: str, **changes: Any) -> Established:
    established = await dial(profile_2(url, **changes), an_inspector())
    established.transport.abort()
    return established


async def failure(
    url: str, inspector: Inspector | None = None, timeouts: Timeouts | None = None, **changes: Any
) -> Diagnosis:
    with pytest.raises(DialFailed) as caught:
        await dial(profile_2(url, **changes), inspector or an_inspector(), timeouts=timeouts)
    assert "s3cretpass" not in str(caught.value.diagnosis)
    return caught.value.diagnosis


# Accepted


async def test_a_verified_server_gets_the_password_and_tells_when_its_chain_runs_out(tmp_path: Path) -> None:
    leaf = issue("localhost", INTERMEDIATE, names=("localhost",), valid_to=NOW + YEAR / 2)
    async with csms(tmp_path, leaf, INTERMEDIATE) as server:
        established = await connected(server.tls_url)
    assert "Authorization: Basic " in server.requests[0]
    assert established.tls is not None
    assert established.tls.version == "TLSv1.3"
    assert established.tls.server_name == "localhost"
    assert established.tls.chain_expires_utc_ms == int((NOW + YEAR / 2).timestamp() * 1000)


async def test_an_authority_that_runs_out_before_the_servers_certificate_is_what_counts(tmp_path: Path) -> None:
    aging = issue("Aging CA", ROOT, authority=True, valid_to=NOW + YEAR / 4)
    async with csms(tmp_path, issue("localhost", aging, names=("localhost",)), aging) as server:
        established = await connected(server.tls_url)
    assert established.tls is not None
    assert established.tls.chain_expires_utc_ms == int((NOW + YEAR / 4).timestamp() * 1000)


async def test_the_common_name_counts_where_there_are_no_alternative_names(tmp_path: Path) -> None:
    """A00.FR.308, A00.FR.510"""
    async with csms(tmp_path, issue("localhost", ROOT)) as server:
        await connected(server.tls_url)


async def test_an_ip_address_on_the_certificate_can_be_dialled(tmp_path: Path) -> None:
    async with csms(tmp_path, issue("csms", ROOT, names=("127.0.0.1",))) as server:
        await connected(f"wss://127.0.0.1:{server.port}/ocpp")


async def test_several_roots_are_active_at_once(tmp_path: Path) -> None:
    async with csms(tmp_path) as server:
        await connected(server.tls_url, root_ca_pem=f"# früher\n{OTHER_ROOT.pem}\n# heute\n{ROOT.pem}")


async def test_an_intermediate_certificate_can_be_the_trusted_one(tmp_path: Path) -> None:
    async with csms(tmp_path, issue("localhost", INTERMEDIATE, names=("localhost",))) as server:
        await connected(server.tls_url, root_ca_pem=INTERMEDIATE.pem)


async def test_a_self_signed_certificate_can_be_the_trusted_one(tmp_path: Path) -> None:
    alone = issue("localhost", names=("localhost",))
    async with csms(tmp_path, alone) as server:
        await connected(server.tls_url, root_ca_pem=alone.pem)


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"])
async def test_the_cipher_suites_that_ocpp_demands_work(tmp_path: Path, cipher: str) -> None:
    """A00.FR.318"""
    async with csms(tmp_path, versions=ONLY_1_2, ciphers=cipher) as server:
        established = await connected(server.tls_url)
    assert established.tls is not None
    assert (established.tls.version, established.tls.cipher) == ("TLSv1.2", cipher)


def test_the_context_has_the_suites_of_both_key_types_and_nothing_weak() -> None:
    """A00.FR.317, A00.FR.319, A00.FR.320"""
    context = client_context(None, None, None)
    names = {cipher["name"] for cipher in context.get_ciphers()}
    assert {"ECDHE-RSA-AES128-GCM-SHA256", "AES128-GCM-SHA256", "AES256-GCM-SHA384"} <= names
    assert not [name for name in names if "SHA256" not in name and "SHA384" not in name and "POLY1305" not in name]
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_COMPRESSION
    assert context.check_hostname


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_profile_3_presents_the_client_certificate_and_no_password(
    tmp_path: Path, version: ssl.TLSVersion
) -> None:
    async with csms(tmp_path, client_ca=ROOT, versions=(version, version)) as server:
        await connected(
            server.tls_url,
            security_profile=3,
            client_certificate_pem=STATION.pem,
            client_key_pem=STATION.key_pem,
        )
    assert "Authorization" not in server.requests[0]


# Refused


async def test_a_server_without_a_chain_to_an_installed_root(tmp_path: Path) -> None:
    async with csms(tmp_path) as server:
        diagnosis = await failure(server.tls_url, root_ca_pem=OTHER_ROOT.pem)
    assert (diagnosis.code, diagnosis.phase) == (DiagnosisCode.TLS_UNKNOWN_ROOT, Phase.TLS)
    assert "'Example Root'" in diagnosis.seen
    assert "(Other Root)" in diagnosis.seen
    assert server.requests == []


async def test_a_root_sent_along_is_not_trusted_for_that(tmp_path: Path) -> None:
    async with csms(tmp_path, LOCALHOST, ROOT) as server:
        diagnosis = await failure(server.tls_url, root_ca_pem=OTHER_ROOT.pem)
    assert diagnosis.code is DiagnosisCode.TLS_UNKNOWN_ROOT


async def test_a_root_renewed_under_the_same_name_is_recognised(tmp_path: Path) -> None:
    async with csms(tmp_path) as server:
        diagnosis = await failure(server.tls_url, root_ca_pem=issue("Example Root", authority=True).pem)
    assert diagnosis.code is DiagnosisCode.TLS_UNKNOWN_ROOT
    assert "another key" in diagnosis.causes[0]


@pytest.mark.parametrize("root", [ROOT.pem, None])
async def test_a_server_that_leaves_out_its_intermediate(tmp_path: Path, root: str | None) -> None:
    async with csms(tmp_path, issue("localhost", INTERMEDIATE, names=("localhost",))) as server:
        diagnosis = await failure(server.tls_url, root_ca_pem=root)
    assert diagnosis.code is DiagnosisCode.TLS_INCOMPLETE_CHAIN
    assert "'Example Issuing CA'" in diagnosis.causes[0]


async def test_without_an_installed_root_the_systems_store_is_what_is_checked_against(tmp_path: Path) -> None:
    async with csms(tmp_path, issue("localhost", INTERMEDIATE, names=("localhost",)), INTERMEDIATE) as server:
        diagnosis = await failure(server.tls_url, root_ca_pem=None)
    assert diagnosis.code is DiagnosisCode.TLS_UNKNOWN_ROOT
    assert "operating system" in diagnosis.seen


async def test_a_self_signed_certificate(tmp_path: Path) -> None:
    async with csms(tmp_path, issue("localhost", names=("localhost",))) as server:
        diagnosis = await failure(server.tls_url)
    assert diagnosis.code is DiagnosisCode.TLS_SELF_SIGNED


@pytest.mark.parametrize(
    ("valid_from", "valid_to", "code"),
    [
        (NOW - 2 * YEAR, NOW - YEAR, DiagnosisCode.TLS_EXPIRED),
        (NOW + YEAR, NOW + 2 * YEAR, DiagnosisCode.TLS_NOT_YET_VALID),
    ],
)
async def test_a_certificate_out_of_its_time_is_shown_with_its_dates_and_our_clock(
    tmp_path: Path, valid_from: Any, valid_to: Any, code: DiagnosisCode
) -> None:
    leaf = issue("localhost", ROOT, names=("localhost",), valid_from=valid_from, valid_to=valid_to)
    async with csms(tmp_path, leaf) as server:
        diagnosis = await failure(server.tls_url)
    assert diagnosis.code is code
    assert f"{valid_from:%Y-%m-%d} to {valid_to:%Y-%m-%d}" in diagnosis.seen
    assert f"clock says {NOW:%Y-}" in diagnosis.seen


async def test_an_expired_intermediate_is_the_one_that_is_named(tmp_path: Path) -> None:
    old = issue("Old CA", ROOT, authority=True, valid_from=NOW - 2 * YEAR, valid_to=NOW - YEAR)
    async with csms(tmp_path, issue("localhost", old, names=("localhost",)), old) as server:
        diagnosis = await failure(server.tls_url)
    assert diagnosis.code is DiagnosisCode.TLS_EXPIRED
    assert "run out: 'Old CA'" in diagnosis.seen


@pytest.mark.parametrize("url", ["wss://127.0.0.1:{port}/ocpp", "wss://localhost:{port}/ocpp"])
async def test_a_certificate_for_another_name_is_shown_with_the_names_it_is_for(tmp_path: Path, url: str) -> None:
    leaf = issue("csms", ROOT, names=("csms.example.com", "192.0.2.7"))
    async with csms(tmp_path, leaf) as server:
        diagnosis = await failure(url.format(port=server.port))
    assert diagnosis.code is DiagnosisCode.TLS_WRONG_HOST
    assert "csms.example.com, 192.0.2.7" in diagnosis.seen


async def test_a_leaf_that_poses_as_an_authority(tmp_path: Path) -> None:
    async with csms(tmp_path, issue("csms", LOCALHOST, names=("localhost",)), LOCALHOST) as server:
        diagnosis = await failure(server.tls_url)
    assert diagnosis.code is DiagnosisCode.TLS_CERTIFICATE_INVALID


@pytest.mark.parametrize(
    ("versions", "ciphers", "offer"),
    [
        (ONLY_1_1, "ALL:@SECLEVEL=0", "TLSv1.1"),
        (ONLY_1_2, "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA"),
    ],
)
async def test_a_server_whose_tls_is_too_weak_tells_with_or_without_an_alert(
    tmp_path: Path, versions: Versions, ciphers: str, offer: str
) -> None:
    """A00.FR.312, A00.FR.315, A00.FR.319"""
    async with csms(tmp_path, versions=versions, ciphers=ciphers) as server:
        silent = await failure(server.tls_url)
    async with blocking_tls_server(server_context(tmp_path, versions=versions, ciphers=ciphers)) as port:
        alerted = await failure(f"wss://localhost:{port}/ocpp")
    for diagnosis in (silent, alerted):
        assert (diagnosis.code, diagnosis.phase) == (DiagnosisCode.TLS_PROTOCOL, Phase.TLS)
        assert offer in diagnosis.seen


async def test_a_port_that_speaks_plain_http() -> None:
    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await reader.read()

    async with raw_server(http) as server:
        diagnosis = await failure(server.tls_url)
    assert (diagnosis.code, diagnosis.phase) == (DiagnosisCode.TLS_PLAIN_HTTP, Phase.TLS)


@pytest.mark.parametrize("versions", [ONLY_1_2, ONLY_1_3])
@pytest.mark.parametrize("presented", [None, issue("A-0001", OTHER_ROOT)])
async def test_a_client_certificate_that_is_missing_or_not_trusted(
    tmp_path: Path, versions: Versions, presented: Issued | None
) -> None:
    credentials: dict[str, Any] = {}
    if presented is not None:
        credentials = {"client_certificate_pem": presented.pem, "client_key_pem": presented.key_pem}
    async with blocking_tls_server(server_context(tmp_path, client_ca=ROOT, versions=versions)) as port:
        diagnosis = await failure(f"wss://localhost:{port}/ocpp", **credentials)
    assert (diagnosis.code, diagnosis.phase) == (DiagnosisCode.TLS_CLIENT_CERTIFICATE_REJECTED, Phase.TLS)
    assert ("none is installed" in diagnosis.seen) is (presented is None)


@pytest.mark.parametrize("versions", [ONLY_1_2, ONLY_1_3])
async def test_a_server_that_wants_a_client_certificate_and_just_hangs_up(tmp_path: Path, versions: Versions) -> None:
    async with csms(tmp_path, client_ca=ROOT, versions=versions) as server:
        diagnosis = await failure(server.tls_url)
    assert diagnosis.code is DiagnosisCode.CONNECTION_RESET
    assert "client certificate" in diagnosis.causes[0]


async def test_a_server_that_never_answers_the_tls_handshake() -> None:
    async with raw_server(silence) as server:
        diagnosis = await failure(server.tls_url, timeouts=Timeouts(tls_s=0.2))
    assert (diagnosis.code, diagnosis.phase) == (DiagnosisCode.HANDSHAKE_TIMEOUT, Phase.TLS)


async def test_a_server_that_hangs_up_in_the_tls_handshake() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async with raw_server(hang_up) as server:
        diagnosis = await failure(server.tls_url)
    assert (diagnosis.code, diagnosis.phase) == (DiagnosisCode.CONNECTION_RESET, Phase.TLS)


@pytest.mark.parametrize(
    "pem", ["", "not a certificate", ROOT.pem[:200], "-----BEGIN CERTIFICATE-----\nAAAA\n-----END"]
)
async def test_an_unreadable_root(pem: str) -> None:
    assert (await failure("wss://127.0.0.1:1/", root_ca_pem=pem)).code is DiagnosisCode.ROOT_CA_INVALID


@pytest.mark.parametrize(
    ("certificate", "key"),
    [
        (None, None),
        (STATION.pem, None),
        (STATION.pem, LOCALHOST.key_pem),
        ("garbage", STATION.key_pem),
        (STATION.pem, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"),
    ],
)
async def test_a_client_certificate_and_key_that_cannot_be_used(certificate: str | None, key: str | None) -> None:
    diagnosis = await failure(
        "wss://127.0.0.1:1/", security_profile=3, client_certificate_pem=certificate, client_key_pem=key
    )
    assert diagnosis.code is DiagnosisCode.CLIENT_CERTIFICATE_INVALID


async def test_an_answer_over_tls_is_diagnosed_like_one_without(tmp_path: Path) -> None:
    async with raw_server(answers(b"HTTP/1.1 404 Not Found\r\n\r\n"), ssl=server_context(tmp_path)) as server:
        assert (await failure(server.tls_url)).code is DiagnosisCode.HTTP_404


async def test_a_failing_server_is_looked_at_once_and_within_the_limit_of_attempts(tmp_path: Path) -> None:
    limit = DialLimit()
    inspector = Inspector(limit, lambda: 1000.0)
    async with csms(tmp_path) as server:
        for _ in range(3):
            diagnosis = await failure(server.tls_url, inspector, root_ca_pem=OTHER_ROOT.pem)
            assert "'localhost'" in diagnosis.seen
        assert limit.in_last_minute(1000.0) == 1

        spent = DialLimit()
        for _ in range(ATTEMPTS_PER_MINUTE):
            spent.attempted(1000.0)
        diagnosis = await failure(server.tls_url, Inspector(spent, lambda: 1000.0), root_ca_pem=OTHER_ROOT.pem)
    assert diagnosis.code is DiagnosisCode.TLS_UNKNOWN_ROOT
    assert "'localhost'" not in diagnosis.seen
