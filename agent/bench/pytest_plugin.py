"""Fixtures for tests of a driver or of a CSMS: a station on mock hardware, a CSMS, and the agent between them.

    async def test_a_session(csms, agent):
        await agent.mock.plug_in()
        await agent.mock.swipe("04AABB")
        await csms.station().wait_for("StatusNotification", connectorId=1, status="Charging")

They are async and need pytest-asyncio, in either mode. Any of them can be overridden; an overriding `csms` needs a
`url` and, where a station has to know them, a `password` and a `root_ca`. The marker `evse_agent` says what differs
from a station with one EVSE on mock hardware:
`@pytest.mark.evse_agent(evses=2, keys={"HeartbeatInterval": 10}, evse={"driver": "my_driver"})`.

pytest loads this module in every project that has the package installed, so it imports what it needs in the fixtures.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Protocol

import pytest

try:
    from pytest_asyncio import fixture
except ModuleNotFoundError:
    # pytest itself tells a test that asks for one that async fixtures need a plugin.
    fixture = pytest.fixture  # type: ignore[assignment]  # the overloads differ in what we do not use

if TYPE_CHECKING:
    from agent.bench.agent_process import AgentProcess
    from agent.bench.csms import BenchCsms
    from hal.drivers.mock import MockStation

_OPTIONS = {
    "evses": 1,
    "identity": "CP001",
    "security_profile": None,
    "keys": None,
    "variables": None,
    "evse": None,
}
_MARKER = (
    f"evse_agent({', '.join(f'{name}={default!r}' for name, default in _OPTIONS.items())}): "
    "what the fixtures mock_station, csms and agent are to be like"
)
_PASSWORD = "bench-password"  # noqa: S105 - between two ends of one test
_SHOWN_LOG_CHARACTERS = 20_000


class Csms(Protocol):
    """What the fixture `agent` needs of the fixture `csms`."""

    @property
    def url(self) -> str: ...


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    marker = request.node.get_closest_marker("evse_agent")
    if marker is None:
        return {}
    unknown = [*map(repr, marker.args), *(name for name in marker.kwargs if name not in _OPTIONS)]
    if unknown:
        pytest.fail(f"the marker evse_agent takes {', '.join(_OPTIONS)}, not {', '.join(unknown)}", pytrace=False)
    return {name: value for name, value in marker.kwargs.items() if value is not None}


@fixture
async def mock_station(request: pytest.FixtureRequest) -> AsyncIterator[MockStation]:
    """The mock hardware without the agent (hal.drivers.mock.MockStation), opened."""
    from hal.drivers.mock import MockStation  # noqa: PLC0415

    async with MockStation(evses=_options(request).get("evses", 1)) as hardware:
        yield hardware


@fixture
async def csms(request: pytest.FixtureRequest) -> AsyncIterator[BenchCsms]:
    """An OCPP 1.6 CSMS on loopback (agent.bench.csms.BenchCsms), serving; by TLS for security profile 2."""
    from agent.bench.csms import BenchCsms  # noqa: PLC0415

    security_profile = _options(request).get("security_profile") or 0
    tls = None
    if security_profile >= 2:
        from agent.bench.tls import BenchTls  # noqa: PLC0415

        tls = BenchTls()
    async with BenchCsms(tls=tls, password=_PASSWORD if security_profile else None) as served:
        yield served


@fixture
async def agent(request: pytest.FixtureRequest, csms: Csms) -> AsyncIterator[AgentProcess]:
    """The agent in a process of its own (agent.bench.agent_process.AgentProcess), accepted by `csms`."""
    from agent.bench.agent_process import AgentProcess  # noqa: PLC0415
    from agent.bench.station_files import configuration  # noqa: PLC0415

    password = getattr(csms, "password", None)
    options = {"security_profile": 0 if password is None else 1, **_options(request)}
    # Not pytest's own directory, whose path is often too long for the agent's Unix sockets (107 bytes).
    with TemporaryDirectory(prefix="evse-agent-") as directory:
        process = AgentProcess(
            Path(directory),
            configuration(csms.url, **options),
            password=password,
            root_ca=getattr(csms, "root_ca", None),
        )
        try:
            async with process:
                await process.wait_registered()
                yield process
        finally:
            log = process.log[-_SHOWN_LOG_CHARACTERS:]
            sys.stdout.write(f"the agent's log:\n{log}")  # pytest shows it where the test has failed
