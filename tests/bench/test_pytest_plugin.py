"""The fixtures in a project of somebody else's: pytest in a process of its own, with what the package installs."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"

pytest_plugins = ["pytester"]

STRICT = "[pytest]\nasyncio_mode = strict\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
AUTO = STRICT.replace("strict", "auto")

SESSION = """
import pytest

@pytest.mark.asyncio
async def test_a_session(csms, agent):
    station = csms.station()
    await agent.mock.plug_in(ready_after=0)
    await agent.mock.swipe("04AABB")
    await station.wait_for("StatusNotification", connectorId=1, status="Charging")
    await agent.mock.plug_out()
    await station.wait_for("StopTransaction", reason="EVDisconnected")
    csms.ledger.assert_clean()
    assert station.problems == []
"""


def run(pytester: pytest.Pytester, ini: str, tests: str, conftest: str = "", **outcomes: int) -> pytest.RunResult:
    pytester.makeini(ini)
    pytester.makeconftest(conftest)
    pytester.makepyfile(tests)
    result = pytester.runpytest_subprocess("-p", "no:xdist", "--strict-markers")
    result.assert_outcomes(**outcomes)
    return result


@pytest.mark.parametrize("ini", [STRICT, AUTO], ids=["strict", "auto"])
def test_a_session_takes_a_few_lines(pytester: pytest.Pytester, ini: str) -> None:
    run(pytester, ini, SESSION, passed=1)


def test_the_mock_is_there_without_the_agent(pytester: pytest.Pytester) -> None:
    tests = """
        import pytest

        @pytest.mark.evse_agent(evses=2)
        async def test_it(mock_station):
            await mock_station.plug_in(2)
            assert sorted(mock_station.board.evses) == [1, 2]
    """
    run(pytester, AUTO, tests, passed=1)


def test_the_marker_says_what_the_station_is_like(pytester: pytest.Pytester) -> None:
    tests = """
        import pytest

        pytestmark = pytest.mark.evse_agent(
            evses=2, identity="CP7", security_profile=2, keys={"MeterValueSampleInterval": 7}
        )

        async def test_it(csms, agent):
            assert csms.url.startswith("wss:")
            answer = await csms.station("CP7").call("GetConfiguration", {"key": ["MeterValueSampleInterval"]})
            assert answer["configurationKey"][0]["value"] == "7"
            assert len((await agent.mock.state())["evses"]) == 2
    """
    run(pytester, AUTO, tests, passed=1)


def test_a_projects_own_fixtures_win(pytester: pytest.Pytester) -> None:
    conftest = """
        import pytest
        import pytest_asyncio
        from agent.bench.csms import BenchCsms

        @pytest_asyncio.fixture
        async def csms():
            async with BenchCsms(password="their-own-password") as served:
                yield served

        @pytest.fixture
        def mock_station():
            return "theirs"
    """
    tests = """
        def test_theirs(mock_station):
            assert mock_station == "theirs"

        async def test_ours_on_theirs(csms, agent):
            assert csms.attempts[0].authorization.startswith("Basic ")
    """
    run(pytester, AUTO, tests, conftest, passed=2)


def test_a_failure_shows_the_agents_log(pytester: pytest.Pytester) -> None:
    tests = """
        async def test_it(agent):
            assert False
    """
    result = run(pytester, AUTO, tests, failed=1)
    result.stdout.fnmatch_lines(["*Captured stdout teardown*", "the agent's log:*", "*connected to ws://127.0.0.1*"])


def test_an_agent_that_does_not_start_is_told_at_once(pytester: pytest.Pytester) -> None:
    tests = """
        import pytest

        @pytest.mark.evse_agent(keys={"HartbeatInterval": 10})
        async def test_it(agent):
            pass
    """
    began_s = time.monotonic()
    result = run(pytester, AUTO, tests, errors=1)
    assert time.monotonic() - began_s < 10
    result.stdout.fnmatch_lines(["*it has already exited with 2*", "*HartbeatInterval*HeartbeatInterval*"])


def test_a_misspelt_option_of_the_marker_is_answered_with_the_known_ones(pytester: pytest.Pytester) -> None:
    tests = """
        import pytest

        @pytest.mark.evse_agent(2, evsess=2)
        async def test_it(mock_station):
            pass

        @pytest.mark.evse_agent(evses=2, security_profile=None, evse=None)
        async def test_none_is_the_usual(csms, agent):
            assert len((await agent.mock.state())["evses"]) == 2
    """
    result = run(pytester, AUTO, tests, errors=1, passed=1)
    known = "evses, identity, security_profile, keys, variables, evse"
    result.stdout.fnmatch_lines([f"*the marker evse_agent takes {known}, not 2, evsess"])


def readme(language: str) -> list[str]:
    section = README.read_text().partition("\n## Testing with the mock\n")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def test_the_readmes_example_runs_as_it_stands(pytester: pytest.Pytester) -> None:
    (settings,) = readme("toml")
    (tests,) = readme("python")
    pytester.makefile(".toml", pyproject=settings)
    pytester.makepyfile(tests)
    result = pytester.runpytest_subprocess("-p", "no:xdist", "--strict-markers")
    result.assert_outcomes(passed=tests.count("def test_"))


def test_who_uses_none_of_it_pays_for_none_of_it(pytester: pytest.Pytester) -> None:
    tests = """
        import sys

        def test_it(pytestconfig):
            assert pytestconfig.pluginmanager.has_plugin("evse_agent")
            assert "agent.bench.pytest_plugin" in sys.modules
            for name in ("websockets", "ocpp", "cryptography", "agent.bench.csms", "agent.app", "hal"):
                assert name not in sys.modules
    """
    run(pytester, STRICT, tests, passed=1)


def test_without_pytest_asyncio_a_test_is_told_what_is_missing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(pytest_asyncio="raise ModuleNotFoundError('pytest_asyncio')")
    pytester.makepyfile("""
        def test_it(csms):
            pass

        def test_another():
            pass
    """)
    result = pytester.runpytest_subprocess("-p", "no:xdist", "-p", "no:asyncio", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*async fixture 'csms'*no plugin*"])
