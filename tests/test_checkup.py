"""`evse-agent check` against real servers: what is in order, the first obstacle, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from agent.bench.station_files import configuration, provision, write_configuration
from agent.bench.tls import BenchTls
from agent.checkup import Report, checkup
from agent.config import load

Judge = Callable[[str], HTTPStatus | None]


@asynccontextmanager
async def csms(judge: Judge, tls: BenchTls | None = None) -> AsyncIterator[tuple[str, list[str]]]:
    """A server that refuses by path; yields its URL and every message that it got."""
    heard: list[str] = []

    def answer(connection: ServerConnection, request: Request) -> Response | None:
        status = judge(request.path)
        return connection.respond(status, "") if status is not None else None

    async def listen(connection: ServerConnection) -> None:
        heard.extend([str(message) async for message in connection])

    context = tls.server_context() if tls else None
    async with serve(listen, "127.0.0.1", 0, subprotocols=["ocpp1.6"], process_request=answer, ssl=context) as server:  # type: ignore[list-item]  # Subprotocol is a NewType of str
        port = server.sockets[0].getsockname()[1]
        yield f"{'wss' if tls else 'ws'}://127.0.0.1:{port}", heard


async def check(tmp_path: Path, url: str, **options: object) -> Report:
    path = tmp_path / "config.toml"
    write_configuration(path, configuration(url, **options))  # type: ignore[arg-type]  # the tests' own choice
    return await checkup(load(path), tmp_path / "state")


async def test_a_station_in_order_passes_and_sends_no_ocpp_message(tmp_path: Path) -> None:
    tls = BenchTls()
    provision(tmp_path / "state", password=b"a-password-of-20-byt", root_ca=tls.root_ca)
    async with csms(lambda _path: None, tls) as (url, heard):
        report = await check(tmp_path, f"{url}/ocpp", security_profile=2)
    assert report.passed, report.as_text()
    assert heard == []
    assert [step.name for step in report.steps][-6:] == ["url", "dns", "tcp", "tls", "upgrade", "open"]
    assert "The station can reach its CSMS." in report.as_text()
    assert "a-password" not in json.dumps(report.as_json())


@pytest.mark.parametrize(
    ("known", "advice"),
    [
        ("/ocpp", "without the identity: leave the last part off"),
        ("/elsewhere", "the path is wrong"),
    ],
)
async def test_a_404_says_whether_the_address_is_known_without_the_identity(
    tmp_path: Path, known: str, advice: str
) -> None:
    async with csms(lambda path: None if path == known else HTTPStatus.NOT_FOUND) as (url, _):
        report = await check(tmp_path, f"{url}/ocpp", security_profile=0)
    assert not report.passed
    text = report.as_text()
    assert "Http404" in text
    assert advice in text


async def test_a_url_without_a_path_may_lack_one(tmp_path: Path) -> None:
    async with csms(lambda _path: HTTPStatus.NOT_FOUND) as (url, _):
        report = await check(tmp_path, url, security_profile=0)
    assert "no path before the identity" in report.as_text()


async def test_the_first_obstacle_has_its_diagnosis_and_the_json_says_the_same(tmp_path: Path) -> None:
    async with csms(lambda _path: HTTPStatus.UNAUTHORIZED) as (url, _):
        report = await check(tmp_path, f"{url}/ocpp", security_profile=1)
    failed = [step for step in report.as_json()["steps"] if step["ok"] is False]
    assert [step["diagnosis"]["code"] for step in failed if step["diagnosis"]] == ["Http401CredentialsNotSet"]
    assert "The station cannot reach its CSMS." in report.as_text()


async def test_secrets_that_others_can_read_are_named(tmp_path: Path) -> None:
    provision(tmp_path / "state", password=b"a-password-of-20-byt", root_ca=None)
    (tmp_path / "state" / "settings.json").chmod(0o644)
    async with csms(lambda _path: None) as (url, _):
        report = await check(tmp_path, f"{url}/ocpp", security_profile=1)
    assert not report.passed
    assert "chmod 600" in report.as_text()


async def test_an_unknown_driver_is_an_obstacle_without_touching_hardware(tmp_path: Path) -> None:
    async with csms(lambda _path: None) as (url, _):
        report = await check(tmp_path, f"{url}/ocpp", security_profile=0, evse={"driver": "mok"})
    assert not report.passed
    assert "did you mean 'mock'?" in report.as_text()


async def test_checking_changes_nothing(tmp_path: Path) -> None:
    async with csms(lambda _path: None) as (url, _):
        await check(tmp_path, f"{url}/ocpp", security_profile=0)
    assert not (tmp_path / "state").exists()
