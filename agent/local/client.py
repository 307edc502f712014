"""The other end of the agent's Unix socket, for commands on the charger."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from agent.errors import AgentError
from provisioning.socket_path import reachable

_ANSWER_BYTES = 4 * 1024 * 1024


class NotRunningError(AgentError):
    """No agent runs on this state directory, or it does not answer."""


def ask(path: Path, request: dict[str, Any], timeout_s: float = 5.0) -> dict[str, Any]:
    """One request to a line-JSON socket, one answer. Raises NotRunningError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            with reachable(path) as address:
                connection.connect(address)
            connection.sendall(json.dumps(request).encode() + b"\n")
            data = b""
            while not data.endswith(b"\n"):
                received = connection.recv(65536)
                data += received
                if not received or len(data) > _ANSWER_BYTES:
                    raise NotRunningError(f"{path}: no complete answer")
        except OSError as error:
            raise NotRunningError(f"{path}: {error.strerror or error}") from error
    try:
        answer = json.loads(data)
    except ValueError as error:
        raise NotRunningError(f"{path}: not a JSON answer") from error
    if not isinstance(answer, dict):
        raise NotRunningError(f"{path}: not a JSON object")
    return answer
