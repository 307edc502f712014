"""One attempt at a connection without TLS: what goes out, and the one diagnosis each failure has."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

import pytest

from agent.csms.catalogue import CATALOGUE
from agent.csms.diagnosis import Diagnosis, DiagnosisCode, DialFailed, Phase
from agent.csms.dial import Timeouts, dial
from agent.csms.tcp import SYSTEM_NETWORK, Address, Network
from agent.csms.websocket import Connection

from .loopback import RawServer, accept_upgrade, an_inspector, answers, closed_port, raw_server, silence, target

SHORT = Timeouts(0.2, 0.2, 0.2, 0.2, 0.2)


async def failure(
    url: str, network: Network = SYSTEM_NETWORK, timeouts: Timeouts | None = None, **changes: Any
) -> Diagnosis:
    with pytest.raises(DialFailed) as caught:
        await dial(target(url, **changes), an_inspector(), network=network, timeouts=timeouts)
    return caught.value.diagnosis


async def answered(response: bytes, *, hold: bool = False, **changes: Any) -> Diagnosis:
    async with raw_server(answers(response, hold=hold)) as server:
        return await failure(server.url, **changes)


def refusing(error: OSError) -> Network:
    async def connect(_address: Address) -> socket.socket:
        raise error

    return SYSTEM_NETWORK._replace(connect=connect)


def unresolved(error: OSError | None) -> Network:
    async def resolve(_host: str, _port: int) -> list[Address]:
        if error is None:
            await asyncio.sleep(60)
            return []
        raise error

    return SYSTEM_NETWORK._replace(resolve=resolve)


def test_every_code_has_advice() -> None:
    assert set(CATALOGUE) == set(DiagnosisCode)
    assert all(advice.causes and advice.next_steps for advice in CATALOGUE.values())


# What goes out


async def request_sent(**changes: Any) -> str:
    requests: list[str] = []
    async with raw_server(answers(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", requests)) as server:
        await failure(server.url, **changes)
    return requests[0]


async def test_the_request_names_the_station_the_versions_and_no_extension() -> None:
    request = await request_sent(subprotocols=("ocpp2.0.1", "ocpp1.6"))
    assert request.startswith("GET /ocpp/CP001 HTTP/1.1\r\n")
    assert "\r\nSec-WebSocket-Protocol: ocpp2.0.1, ocpp1.6\r\n" in request
    assert "Extensions" not in request


@pytest.mark.parametrize(("profile", "sent"), [(0, False), (1, True)])
async def test_the_password_goes_out_with_profile_1_only(profile: int, sent: bool) -> None:
    request = await request_sent(security_profile=profile, password=b"secret")
    assert ("Authorization" in request) is sent


async def test_the_password_is_sent_as_bytes_behind_the_identity() -> None:
    """OCPP-J 1.6 §6.2.1, with the key and the header of its example."""
    password = bytes.fromhex("0001020304050607FFFFFFFFFFFFFFFFFFFFFFFF")
    request = await request_sent(identity="AL1000", security_profile=1, password=password)
    assert "\r\nAuthorization: Basic QUwxMDAwOgABAgMEBQYH////////////////\r\n" in request


async def test_a_server_that_agrees_is_connected() -> None:
    async def agree(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept_upgrade(reader, writer)
        await reader.read()

    phases: list[Phase] = []
    async with raw_server(agree) as server:
        established = await dial(target(server.url), an_inspector(), on_phase=lambda phase, _seen: phases.append(phase))
        established.transport.abort()
    assert established.subprotocol == "ocpp1.6"
    assert established.address == "127.0.0.1"
    assert phases == [Phase.URL, Phase.DNS, Phase.TCP, Phase.UPGRADE]


async def test_what_follows_the_handshake_waits_for_the_start() -> None:
    async def eager(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept_upgrade(reader, writer, also=b"\x81\x02hi")
        await asyncio.sleep(0.02)
        writer.write(b"\x81\x02ho")
        await reader.read()

    heard: asyncio.Queue[str] = asyncio.Queue()
    async with raw_server(eager) as server:
        connection = Connection(await dial(target(server.url), an_inspector()), heard.put_nowait, lambda _: None)
        await asyncio.sleep(0.05)
        assert heard.empty()
        connection.start()
        async with asyncio.timeout(2):
            assert [await heard.get(), await heard.get()] == ["hi", "ho"]
        connection.abort("done")


async def test_an_address_that_hangs_does_not_hold_up_the_next_one() -> None:
    async def agree(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept_upgrade(reader, writer)
        await reader.read()

    async with raw_server(agree) as server:

        async def resolve(_host: str, port: int) -> list[Address]:
            return [Address(socket.AF_INET, ("192.0.2.1", port)), Address(socket.AF_INET, ("127.0.0.1", port))]

        async def connect(address: Address) -> socket.socket:
            if str(address) == "192.0.2.1":
                await asyncio.sleep(60)
            return await SYSTEM_NETWORK.connect(address)

        established = await dial(target(server.url), an_inspector(), network=Network(resolve, connect))
        established.transport.abort()
    assert established.address == "127.0.0.1"


# What comes back: each failure its own code


@pytest.mark.parametrize(
    ("url", "changes"),
    [
        ("http://csms.example.com", {}),
        ("ws://user:s3cret@csms.example.com", {}),
        ("ws://csms.example.com", {"security_profile": 2}),
        ("ws://csms.example.com", {"proxy": "socks5://user:s3cret@proxy"}),
    ],
)
async def test_an_unusable_url(url: str, changes: dict[str, Any]) -> None:
    diagnosis = await failure(url, **changes)
    assert (diagnosis.code, diagnosis.phase) == (DiagnosisCode.URL_INVALID, Phase.URL)
    assert "s3cret" not in str(diagnosis)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), DiagnosisCode.DNS_FAILED),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), DiagnosisCode.DNS_UNAVAILABLE),
        (None, DiagnosisCode.DNS_UNAVAILABLE),
    ],
)
async def test_a_name_that_does_not_exist_is_told_from_a_name_server_that_does_not_answer(
    error: OSError | None, code: DiagnosisCode
) -> None:
    diagnosis = await failure("ws://nonexistent.invalid/ocpp", unresolved(error), SHORT)
    assert (diagnosis.code, diagnosis.phase) == (code, Phase.DNS)
    assert "nonexistent.invalid" in diagnosis.seen


async def test_the_systems_own_resolver_answers_or_fails_as_expected() -> None:
    assert (await SYSTEM_NETWORK.resolve("127.0.0.1", 80)) == [Address(socket.AF_INET, ("127.0.0.1", 80))]
    assert "127.0.0.1" in map(str, await SYSTEM_NETWORK.resolve("localhost", 80))
    with pytest.raises(socket.gaierror):
        await SYSTEM_NETWORK.resolve("nonexistent.invalid", 80)


async def test_a_refused_port() -> None:
    port = closed_port()
    diagnosis = await failure(f"ws://127.0.0.1:{port}/ocpp")
    assert (diagnosis.code, diagnosis.phase) == (DiagnosisCode.CONNECTION_REFUSED, Phase.TCP)
    assert f"127.0.0.1:{port}" in diagnosis.seen


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENETUNREACH, "Network is unreachable"), DiagnosisCode.NETWORK_UNREACHABLE),
        (OSError(errno.EHOSTUNREACH, "No route to host"), DiagnosisCode.NETWORK_UNREACHABLE),
        (TimeoutError(errno.ETIMEDOUT, "Connection timed out"), DiagnosisCode.CONNECT_TIMEOUT),
        (ConnectionResetError(errno.ECONNRESET, "reset"), DiagnosisCode.CONNECTION_RESET),
        (OSError(errno.EMFILE, "Too many open files"), DiagnosisCode.CONNECT_FAILED),
    ],
)
async def test_what_the_system_says_about_the_way(error: OSError, code: DiagnosisCode) -> None:
    diagnosis = await failure("ws://192.0.2.1/ocpp", refusing(error))
    assert (diagnosis.code, diagnosis.phase) == (code, Phase.TCP)


async def test_a_host_that_swallows_packets() -> None:
    async def connect(_address: Address) -> socket.socket:
        await asyncio.sleep(60)
        raise AssertionError

    diagnosis = await failure("ws://192.0.2.1/ocpp", SYSTEM_NETWORK._replace(connect=connect), SHORT)
    assert (diagnosis.code, diagnosis.phase) == (DiagnosisCode.CONNECT_TIMEOUT, Phase.TCP)


async def test_of_several_addresses_the_most_telling_failure_counts() -> None:
    async def resolve(_host: str, port: int) -> list[Address]:
        return [Address(socket.AF_INET6, ("2001:db8::1", port, 0, 0)), Address(socket.AF_INET, ("127.0.0.1", port))]

    async def connect(address: Address) -> socket.socket:
        if address.family == socket.AF_INET6:
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        return await SYSTEM_NETWORK.connect(address)

    diagnosis = await failure(f"ws://csms.example:{closed_port()}", Network(resolve, connect))
    assert diagnosis.code is DiagnosisCode.CONNECTION_REFUSED


async def test_a_server_that_never_answers() -> None:
    async with raw_server(silence) as server:
        diagnosis = await failure(server.url, timeouts=SHORT)
    assert (diagnosis.code, diagnosis.phase) == (DiagnosisCode.HANDSHAKE_TIMEOUT, Phase.UPGRADE)


async def test_a_server_that_hangs_up() -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with raw_server(hang_up) as server:
        diagnosis = await failure(server.url)
    assert (diagnosis.code, diagnosis.phase) == (DiagnosisCode.CONNECTION_RESET, Phase.UPGRADE)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"security_profile": 0, "password": b"unused"}, DiagnosisCode.HTTP_401_NO_CREDENTIALS),
        ({"security_profile": 1}, DiagnosisCode.HTTP_401_CREDENTIALS_NOT_SET),
        ({"security_profile": 1, "password": b"s3cretpass"}, DiagnosisCode.HTTP_401_CREDENTIALS_REJECTED),
    ],
)
async def test_the_three_kinds_of_unauthorized(changes: dict[str, Any], code: DiagnosisCode) -> None:
    diagnosis = await answered(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", **changes)
    assert diagnosis.code is code
    assert "s3cretpass" not in str(diagnosis)


@pytest.mark.parametrize(
    ("response", "code", "words"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\nblocked", DiagnosisCode.HTTP_403, "blocked"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", DiagnosisCode.HTTP_404, "/ocpp/CP001"),
        (b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 90\r\n\r\n", DiagnosisCode.HTTP_429, "Retry-After: 90"),
        (b"HTTP/1.1 500 Internal Server Error\r\n\r\n", DiagnosisCode.HTTP_5XX, "500"),
        (b"HTTP/1.1 503 Unavailable\r\nRetry-After: 30\r\n\r\n", DiagnosisCode.HTTP_5XX, "503"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: https://u:s3cret@portal/\r\n\r\n",
            DiagnosisCode.HTTP_REDIRECT,
            "https://portal/",
        ),
        (b"HTTP/1.0 200 OK\r\n\r\n<html>Welcome</html>", DiagnosisCode.HTTP_UNEXPECTED, "Welcome"),
        (b"HTTP/1.1 426 Upgrade Required\r\n\r\n", DiagnosisCode.HTTP_UNEXPECTED, "426"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", DiagnosisCode.HTTP_UNEXPECTED, "SSH"),
        (b"\x15\x03\x03\x00\x02\x02\x28", DiagnosisCode.HTTP_UNEXPECTED, "TLS"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", DiagnosisCode.HANDSHAKE_INVALID, "Upgrade"),
        (
            b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
            DiagnosisCode.HANDSHAKE_INVALID,
            "Sec-WebSocket-Accept",
        ),
    ],
)
async def test_what_the_server_answers(response: bytes, code: DiagnosisCode, words: str) -> None:
    diagnosis = await answered(response)
    assert (diagnosis.code, diagnosis.phase) == (code, Phase.UPGRADE)
    assert words in diagnosis.seen
    assert "s3cret" not in str(diagnosis)


async def test_retry_after_reaches_the_diagnosis() -> None:
    assert (await answered(b"HTTP/1.1 429 Slow down\r\nRetry-After: 90\r\n\r\n")).retry_after_s == 90


async def test_a_refusal_on_a_connection_kept_open_is_understood_without_waiting_for_its_end() -> None:
    async with asyncio.timeout(3):
        diagnosis = await answered(b"HTTP/1.1 401 Unauthorized\r\n\r\nwho?", hold=True)
    assert "who?" in diagnosis.seen


async def test_an_endless_body_is_cut_and_cleaned() -> None:
    diagnosis = await answered(b"HTTP/1.1 403 No\r\n\r\n\x1b[31m" + b"A" * 1_000_000)
    assert len(diagnosis.seen) < 1000
    assert diagnosis.seen.isprintable()


async def test_credentials_that_the_server_echoes_are_blotted_out() -> None:
    body = b"password s3cretpass, header Q1AwMDE6czNjcmV0cGFzcw=="
    diagnosis = await answered(b"HTTP/1.1 401 No\r\n\r\n" + body, security_profile=1, password=b"s3cretpass")
    assert "s3cretpass" not in diagnosis.seen
    assert "Q1AwMDE6" not in diagnosis.seen


async def test_an_identity_that_stands_twice_in_the_url_is_the_first_suspect() -> None:
    async with raw_server(answers(b"HTTP/1.1 404 Not Found\r\n\r\n")) as server:
        diagnosis = await failure(f"{server.url}/CP001")
    assert "twice" in diagnosis.causes[0]


@pytest.mark.parametrize(
    ("subprotocol", "code"),
    [("", DiagnosisCode.SUBPROTOCOL_MISSING), ("ocpp2.0.1", DiagnosisCode.SUBPROTOCOL_WRONG)],
)
async def test_a_version_that_is_not_settled(subprotocol: str, code: DiagnosisCode) -> None:
    async def agree(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept_upgrade(reader, writer, subprotocol)
        await reader.read()

    async with raw_server(agree) as server:
        diagnosis = await failure(server.url)
    assert (diagnosis.code, diagnosis.phase) == (code, Phase.UPGRADE)
    assert "offered: ocpp1.6" in diagnosis.seen


# Through a proxy


async def through(proxy: RawServer, url: str = "ws://csms.invalid:9000/ocpp", userinfo: str = "") -> Diagnosis:
    return await failure(url, timeouts=SHORT, proxy=f"http://{userinfo}127.0.0.1:{proxy.port}")


async def test_a_proxy_connects_by_name_and_the_handshake_follows() -> None:
    requests: list[str] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        requests.append(await accept_upgrade(reader, writer))
        await reader.read()

    async with raw_server(proxy) as server:
        established = await dial(
            target("ws://csms.invalid:9000/ocpp", proxy=f"http://u:p%40ss@127.0.0.1:{server.port}"), an_inspector()
        )
        established.transport.abort()
    assert requests[0].startswith("CONNECT csms.invalid:9000 HTTP/1.1\r\nHost: csms.invalid:9000\r\n")
    assert "Proxy-Authorization: Basic dTpwQHNz\r\n" in requests[0]
    assert "Proxy-Authorization" not in requests[1]


async def test_a_proxy_that_refuses_is_told_from_one_that_is_not_there() -> None:
    async with raw_server(answers(b"HTTP/1.1 407 Authenticate\r\n\r\n")) as server:
        refused = await through(server, userinfo="u:s3cret@")
    assert (refused.code, refused.phase) == (DiagnosisCode.PROXY_REFUSED, Phase.PROXY)
    assert "407" in refused.seen
    assert "s3cret" not in str(refused)

    absent = await failure("ws://csms.invalid/", proxy=f"http://127.0.0.1:{closed_port()}")
    assert (absent.code, absent.phase) == (DiagnosisCode.PROXY_UNREACHABLE, Phase.PROXY)
    async with raw_server(silence) as server:
        assert (await through(server)).code is DiagnosisCode.PROXY_UNREACHABLE
    async with raw_server(answers(b"220 mail.example.com ESMTP\r\n")) as server:
        assert (await through(server)).code is DiagnosisCode.PROXY_UNREACHABLE


def test_a_target_shows_no_secret() -> None:
    shown = repr(
        target("ws://u:s3cret@h/?k=s3cret", password=b"s3cret", client_key_pem="s3cret", proxy="http://u:s3cret@p")
    )
    assert "s3cret" not in shown
    assert "CP001" in shown
