"""Who may talk to whom: passwords, certificates, and what a technician is told when they do not fit (white paper)."""

from __future__ import annotations

import base64
import json
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.bench.agent_process import AgentProcess
from agent.bench.csms import BenchCsms
from agent.bench.station_files import configuration
from agent.bench.tls import BenchTls

from .conftest import Install
from .site import Site

PASSWORD = "bench-password"  # noqa: S105 - between two ends of one test
HEX_KEY = "0123456789ABCDEF0123456789abcdef01234567"  # 20 bytes that are no text


def authorization(password: bytes) -> str:
    return "Basic " + base64.b64encode(b"CP001:" + password).decode()


async def command(agent: AgentProcess, module: str, *arguments: str) -> tuple[int, str]:
    """A technician's command on the charger: its exit code and what it printed."""
    places = ("--config", str(agent.config_path), "--state-dir", str(agent.state_dir))
    code = f"import sys; from agent.cli import {module}; sys.exit({module}())"
    process = await create_subprocess_exec(sys.executable, "-c", code, *arguments, *places, stdout=PIPE, stderr=PIPE)
    output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode() + errors.decode()


async def diagnosis(site: Site, code: str) -> Mapping[str, Any]:
    """What `status` says of the failed attempts."""

    def seen(status: Mapping[str, Any]) -> bool:
        return status["link"]["phase"] != "open" and (status["link"]["last_diagnosis"] or {}).get("code") == code

    status = await site.agent.wait_for_status(seen)
    printed = json.loads(await site.agent.run("status", "--json"))
    assert printed["link"]["last_diagnosis"]["code"] == code
    found: Mapping[str, Any] = status["link"]["last_diagnosis"]
    assert found["causes"]
    assert found["next_steps"]
    return found


class TestPassword:
    @pytest.fixture
    async def csms(self) -> AsyncIterator[BenchCsms]:
        async with BenchCsms(password=PASSWORD) as csms:
            yield csms

    async def test_it_is_presented(self, site: Site) -> None:
        assert site.csms.attempts[-1].authorization == authorization(PASSWORD.encode())
        assert PASSWORD not in site.agent.log

    @pytest.mark.parametrize(
        ("key", "password"),
        [(HEX_KEY, bytes.fromhex(HEX_KEY)), ("new-password", b"new-password")],
        ids=["hexadecimal", "text"],
    )
    async def test_a_new_one_is_used_at_once_and_after_a_restart(self, site: Site, key: str, password: bytes) -> None:
        site.csms.password = password
        await site.configure(AuthorizationKey=key)
        await site.station.wait_connected(connection=2)
        assert site.csms.attempts[-1].authorization == authorization(password)
        await site.agent.restart()
        await site.station.wait_connected(connection=3)
        assert site.csms.attempts[-1].authorization == authorization(password)
        assert key not in site.agent.log
        assert len(site.csms.attempts) == 3

    @pytest.mark.parametrize("key", ["short", "0" * 33, "x" * 41])
    async def test_one_that_cannot_be_is_rejected(self, site: Site, key: str) -> None:
        assert await site.asked("ChangeConfiguration", key="AuthorizationKey", value=key) == "Rejected"
        await site.settled()
        assert site.station.connections == 1

    async def test_a_lower_security_profile_is_rejected(self, site: Site) -> None:
        assert await site.asked("ChangeConfiguration", key="SecurityProfile", value="0") == "Rejected"

    async def test_a_wrong_one_is_diagnosed(self, csms: BenchCsms, install: Install) -> None:
        site = await install(security_profile=1, start=False)
        csms.password = "another-password"  # noqa: S105 - what the station does not know
        await site.agent.start()
        await diagnosis(site, "Http401CredentialsRejected")
        status, printed = await command(site.agent, "main", "check")
        assert status == 1
        assert "Http401CredentialsRejected" in printed
        assert PASSWORD not in printed + site.agent.log
        csms.password = PASSWORD
        await site.agent.wait_registered()  # it has not given up


class TestCertificates:
    """Profile 2: what a technician puts in with a site profile."""

    @staticmethod
    async def apply(site: Site, root_ca: str, url: str) -> None:
        profile = site.agent.config_path.with_name("site.toml")
        (profile.parent / "root.pem").write_text(root_ca)
        profile.write_text(
            f'[csms]\nurl = "{url}"\nsecurity_profile = 2\nbasic_auth_password = "{PASSWORD}"\nroot_ca = "root.pem"\n'
        )
        status, printed = await command(site.agent, "provision_main", "apply", str(profile), "--local")
        assert status == 0, printed

    async def test_a_site_profile_is_all_it_takes(self, tmp_path: Path) -> None:
        tls = BenchTls()
        async with BenchCsms(tls=tls, password=PASSWORD) as csms:
            # As it left the factory: for another CSMS, with nothing set.
            agent = AgentProcess(tmp_path / "station", configuration("ws://127.0.0.1:9/factory"))
            site = Site(csms, agent)
            await self.apply(site, tls.root_ca, csms.url)
            async with agent:
                await agent.wait_registered()
                await site.charge()
                status = await agent.status()
                assert status["link"]["security_profile"] == 2
                csms.password = bytes.fromhex(HEX_KEY)
                await site.configure(AuthorizationKey=HEX_KEY)
                await site.station.wait_connected(connection=2)
                await agent.restart()
                await site.station.wait_connected(connection=3)
                assert (await command(agent, "main", "check"))[0] == 0
            csms.ledger.assert_clean()

    @pytest.mark.parametrize(
        ("hosts", "trusted", "code"),
        [
            (("csms.example.com",), True, "TlsWrongHost"),
            (("127.0.0.1",), False, "TlsUnknownRoot"),
        ],
        ids=["another's name", "another's root"],
    )
    async def test_a_server_that_cannot_prove_itself_is_refused(
        self, tmp_path: Path, hosts: tuple[str, ...], trusted: bool, code: str
    ) -> None:
        tls = BenchTls(hosts=hosts)
        async with BenchCsms(tls=tls, password=PASSWORD) as csms:
            agent = AgentProcess(
                tmp_path / "station",
                configuration(csms.url, security_profile=2),
                password=PASSWORD,
                root_ca=tls.root_ca if trusted else BenchTls().root_ca,
            )
            async with agent:
                await diagnosis(Site(csms, agent), code)
                status, printed = await command(agent, "main", "check")
            assert status == 1
            assert code in printed
            assert csms.attempts == []  # it did not even ask, so no password has been shown
