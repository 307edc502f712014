"""A running agent takes the profile over its socket, or the tool says that it did not."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from provisioning.apply import Change
from provisioning.errors import AgentUnreachableError, ProvisioningError
from provisioning.hand_over import answer, hand_over
from provisioning.settings import Settings

from .bench_station import BenchCatalogue
from .credentials import NOW_MS

PROFILE = {"csms": {"url": "ws://csms.example.com", "basic_auth_password": "correct-horse"}}


@contextmanager
def agent(state_dir: Path, reply: Callable[[bytes], bytes]) -> Iterator[None]:
    """Something listening on `agent.sock` that answers one line."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(state_dir / "agent.sock"))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as lines:
                if told := reply(lines.readline()):
                    connection.sendall(told)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            thread.join()


def test_the_running_agent_makes_it_durable_and_says_what_changed(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path)

    def reply(line: bytes) -> bytes:
        request = json.loads(line)
        assert request["op"] == "apply"
        return json.dumps(answer(request, settings, BenchCatalogue(), NOW_MS)).encode() + b"\n"

    with agent(tmp_path, reply):
        changes = hand_over(tmp_path, PROFILE)
    assert changes == [
        Change("csms.url", "ws://factory.example.com (factory)", "ws://csms.example.com"),
        Change("csms.basic_auth_password", "not set", "set"),
    ]
    assert Settings.load(tmp_path).content.csms.basic_auth_password == b"correct-horse"


def test_the_agent_refuses_a_wrong_profile_and_changes_nothing(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path)
    reply = answer(
        {"op": "apply", "profile": {"csms": {"url": "x", "identity": " "}}}, settings, BenchCatalogue(), NOW_MS
    )
    assert reply["ok"] is False
    assert [error.partition(":")[0] for error in reply["errors"]] == ["csms.url", "csms.identity"]
    assert settings.generation == 0
    refusal = pytest.raises(ProvisioningError, match=r"the running agent refused: csms\.url: .*; csms\.identity")
    with agent(tmp_path, lambda _: json.dumps(reply).encode() + b"\n"), refusal:
        hand_over(tmp_path, PROFILE)


@pytest.mark.parametrize("profile", [None, 7, [], "x"])
def test_the_agent_survives_a_hostile_request(tmp_path: Path, profile: object) -> None:
    assert answer({"profile": profile}, Settings.load(tmp_path), BenchCatalogue(), NOW_MS)["ok"] is False


def test_without_an_agent_nothing_was_taken(tmp_path: Path) -> None:
    with pytest.raises(AgentUnreachableError, match=r"agent\.sock: No such file"):
        hand_over(tmp_path, PROFILE)
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(tmp_path / "agent.sock"))
    with pytest.raises(AgentUnreachableError, match="refused"):
        hand_over(tmp_path, PROFILE)


@pytest.mark.parametrize(
    "reply", [b"", b"{}\n", b"[]\n", b"\xff\n", b'{"ok": true}\n', b'{"ok": true, "changes": [1]}\n', b'{"ok": true']
)
def test_an_agent_that_does_not_confirm_is_named(tmp_path: Path, reply: bytes) -> None:
    unconfirmed = pytest.raises(ProvisioningError, match="did not confirm it: look with")
    with agent(tmp_path, lambda _: reply), unconfirmed as failure:
        hand_over(tmp_path, PROFILE)
    assert not isinstance(failure.value, AgentUnreachableError)


def test_a_silent_agent_does_not_hold_the_tool(tmp_path: Path) -> None:
    silent = threading.Event()

    def reply(_: bytes) -> bytes:
        silent.wait(30)
        return b""

    with agent(tmp_path, reply):
        with pytest.raises(ProvisioningError, match="did not confirm it"):
            hand_over(tmp_path, PROFILE, timeout_s=0.05)
        silent.set()
