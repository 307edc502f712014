"""`evse-agent demo`, as a person runs it."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import time

import pytest

from agent.bench import demo as demo_module
from agent.bench.demo import demo
from agent.bench.messages import MessageLog
from agent.bench.timeline import Side, Timeline


def test_the_demo_shows_a_session_with_an_outage_and_ends_well() -> None:
    began_s = time.monotonic()
    finished = subprocess.run(
        [sys.executable, "-m", "agent.cli", "demo"], capture_output=True, text=True, timeout=40, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert time.monotonic() - began_s < 20
    assert finished.stderr == ""
    steps = [
        r"driver +holds up a card",
        r"station +Authorize",
        r"driver +plugs the car in",
        r"station +StartTransaction",
        r"connector 1 is Charging",
        r"station +MeterValues",
        r"network +cable unplugged",
        r"station +notices +no answer to its pings",
        r"network +cable plugged in +\d+ messages wait",
        r"MeterValues .* from \d\d:\d\d:\d\d\.\d{3}, kept for \d",
        r"CSMS +RemoteStopTransaction",
        r"StopTransaction +charging has ended \(Remote\)",
        r"connector 1 is Available",
        r"energy +[1-9]\d* Wh billed, as the meter counted",
        r"queue +empty",
    ]
    assert re.search("(?s:.*)".join(steps), finished.stdout), finished.stdout
    assert "\x1b" not in finished.stdout


async def test_the_demo_says_what_is_not_as_it_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_module, "_KEYS", {"MeterValueSampleInterval": 0})
    monkeypatch.setattr(demo_module, "_STEP_TIMEOUT_S", 3.0)
    out = io.StringIO()
    assert await demo(out) == 1
    assert re.search(r"FAILED\n  NotSeenError: no MeterValues(?s:.*)The log:\n(?s:.*)connected to wss", out.getvalue())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("out", "no_color", "coloured"),
    [(Terminal(), "", True), (Terminal(), "1", False), (io.StringIO(), "", False)],
)
def test_only_terminals_get_colours_and_only_where_they_are_wanted(
    monkeypatch: pytest.MonkeyPatch, out: io.StringIO, no_color: str, coloured: bool
) -> None:
    monkeypatch.setitem(os.environ, "NO_COLOR", no_color)
    Timeline(out).line(Side.CSMS, "speaks", "and means it")
    assert ("\x1b[" in out.getvalue()) is coloured


def test_a_message_that_comes_again_is_told_so() -> None:
    out, log = io.StringIO(), MessageLog()
    log.on_message = Timeline(out).message
    for _ in range(2):
        log.add('[2,"1","Heartbeat",{}]', sent=False, connection=1)
    first, second = out.getvalue().splitlines()
    assert "counted once" not in first
    assert "still here - the same again" in second
