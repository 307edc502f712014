"""The real program, started, asked, stopped and killed by the bench."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from agent.bench.agent_process import AgentFailedError, AgentProcess
from agent.bench.csms import BenchCsms
from agent.bench.station_files import configuration


@pytest.fixture
def directory() -> Iterator[Path]:
    """A short path: Unix sockets lie in it."""
    with TemporaryDirectory() as path:
        yield Path(path)


async def test_it_lives_through_restart_and_power_cut_with_its_state(directory: Path) -> None:
    async with BenchCsms(password="s3cret-s3cret") as csms:  # noqa: S106 - made up for this test
        content = configuration(csms.url, evses=2, security_profile=1)
        async with AgentProcess(directory, content, password=csms.password) as agent:
            await agent.wait_registered()
            assert len((await agent.mock.state())["evses"]) == 2
            pid = agent.pid
            await agent.restart()
            await csms.station().wait_connected(connection=2)
            assert agent.pid != pid
            await agent.kill()
            assert not agent.running
            await agent.start()
            await csms.station().wait_connected(connection=3)
            status = await agent.wait_for_status(lambda status: status["link"]["phase"] == "open")
            printed = json.loads(await agent.run("status", "--json"))
        assert status["identity"] == printed["identity"] == "CP001"
        assert "connected to ws://" in agent.log


async def test_what_went_wrong_is_told_with_the_log(directory: Path) -> None:
    agent = AgentProcess(directory, {"station": {"identity": "CP001"}})
    await agent.start()
    assert await agent.wait(10) == 2
    with pytest.raises(AgentFailedError, match=r"already exited with 2(?s:.*)evse"):
        await agent.stop()
    with pytest.raises(AgentFailedError, match=r"already exited with 2(?s:.*)evse"):
        await agent.wait_for_status(bool, 60)
    with pytest.raises(AgentFailedError, match=r"status: exit 1"):
        await agent.run("status")
