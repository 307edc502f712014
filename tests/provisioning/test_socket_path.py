"""A socket below a directory that is too deep for the kernel's 107 bytes."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from provisioning.socket_path import reachable


@pytest.mark.parametrize("name", ["s", "d" * 120])
def test_a_socket_at_any_depth_is_bound_and_connected(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "agent.sock"
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as caller:
        with reachable(path) as address:
            listener.bind(address)
        assert path.is_socket()
        listener.listen()
        with reachable(path) as address:
            caller.connect(address)
        caller.sendall(b"hello")
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(5) == b"hello"


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), reachable(tmp_path / ("d" * 120) / "agent.sock"):
        pass
