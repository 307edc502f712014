from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from agent.bench.agent_process import AgentProcess
from agent.bench.csms import BenchCsms

from .site import Site


@pytest.fixture
async def site(csms: BenchCsms, agent: AgentProcess) -> AsyncIterator[Site]:
    """The station that the marker `evse_agent` describes, accepted. At the end nobody may have broken a rule."""
    there = Site(csms, agent)
    yield there
    assert there.station.problems == []
