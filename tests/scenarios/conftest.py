from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import pytest

from agent.bench.agent_process import AgentProcess
from agent.bench.csms import BenchCsms
from agent.bench.station_files import configuration

from .site import Site

_SHOWN_LOG_CHARACTERS = 20_000


class Install(Protocol):
    async def __call__(
        self,
        *,
        url: str | None = None,
        start: bool = True,
        system: Mapping[str, object] | None = None,
        directory: Path | None = None,
        **options: Any,
    ) -> Site:
        """A station as `agent.bench.station_files.configuration` has it, at this URL in place of the CSMS's."""


@pytest.fixture
async def site(csms: BenchCsms, agent: AgentProcess) -> AsyncIterator[Site]:
    """The station that the marker `evse_agent` describes, accepted and with its statuses told.

    At the end nobody may have broken a rule.
    """
    there = Site(csms, agent)
    await there.settled()
    yield there
    assert there.station.problems == []


@pytest.fixture
async def install(csms: BenchCsms) -> AsyncIterator[Install]:
    """For a station that is not accepted right away, or not even started: `site = await install(...)`."""
    async with AsyncExitStack() as running:
        sites: list[Site] = []

        async def installed(
            *,
            url: str | None = None,
            start: bool = True,
            system: Mapping[str, object] | None = None,
            directory: Path | None = None,
            **options: Any,
        ) -> Site:
            content = configuration(url or csms.url, **options)
            if system is not None:
                content["system"] = dict(system)
            where = directory or Path(running.enter_context(TemporaryDirectory(prefix="evse-agent-")))
            agent = AgentProcess(where, content, password=csms.password, root_ca=csms.root_ca)
            running.push_async_exit(agent)
            if start:
                await agent.start()
            sites.append(Site(csms, agent))
            return sites[-1]

        try:
            yield installed
        finally:
            for site in sites:
                log = site.agent.log[-_SHOWN_LOG_CHARACTERS:]
                sys.stdout.write(f"the agent's log:\n{log}")  # pytest shows it where the test has failed
    for site in sites:
        assert site.station.problems == []
