"""Both ends of handing a site profile to the running agent, over its Unix socket `agent.sock` in the state directory.

One JSON line each way. Request: `{"op": "apply", "profile": {...}}`, the profile with PEM texts instead of file names.
Answer: `{"ok": true, "changes": [{"key": ..., "old": ..., "new": ...}]}` or `{"ok": false, "errors": ["..."]}`.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provisioning.apply import Change, apply_profile
from provisioning.catalogue import Catalogue
from provisioning.errors import AgentUnreachableError, DocumentError, ProvisioningError
from provisioning.settings import Settings
from provisioning.site_profile import read_document
from provisioning.socket_path import reachable

LARGEST_LINE_BYTES = 2 * 1024 * 1024
"""A profile with its certificates, JSON-escaped, is smaller."""


def answer(request: Mapping[str, Any], settings: Settings, catalogue: Catalogue, utc_ms: int) -> dict[str, Any]:
    """The agent's end: checks the profile of a request, makes it durable and says what changed. Never raises for what
    the request holds.
    """
    try:
        profile = read_document(request.get("profile", {}), settings.content, catalogue, utc_ms)
        changes = apply_profile(settings, profile, catalogue)
    except DocumentError as error:
        return {"ok": False, "errors": [str(problem) for problem in error.problems]}
    except ProvisioningError as error:
        return {"ok": False, "errors": [str(error)]}
    return {"ok": True, "changes": [change._asdict() for change in changes]}


def hand_over(state_dir: Path, document: Mapping[str, Any], timeout_s: float = 10.0) -> list[Change]:
    """The tool's end: what the running agent changed. Raises AgentUnreachableError if no agent took the request,
    ProvisioningError if one took it and refused it or went silent.
    """
    path = state_dir / "agent.sock"
    deadline_s = time.monotonic() + timeout_s
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            with reachable(path) as address:
                connection.connect(address)
            connection.sendall(json.dumps({"op": "apply", "profile": document}).encode() + b"\n")
        except OSError as error:
            raise AgentUnreachableError(f"{path}: {error.strerror or error}") from error
        try:
            return _changes(_read_line(connection, deadline_s))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            wrong = f"the agent at {path} took the profile but did not confirm it"
            raise ProvisioningError(f"{wrong}: look with 'evse-provision show --local', then try again") from error


def _read_line(connection: socket.socket, deadline_s: float) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        connection.settimeout(max(deadline_s - time.monotonic(), 0.001))
        received = connection.recv(65536)
        data += received
        if not received or len(data) > LARGEST_LINE_BYTES:
            raise ValueError("no complete answer")
    return data


def _changes(line: bytes) -> list[Change]:
    reply = json.loads(line)
    if reply["ok"] is not True:
        raise ProvisioningError("the running agent refused: " + "; ".join(map(str, reply["errors"])))
    return [Change(str(change["key"]), str(change["old"]), str(change["new"])) for change in reply["changes"]]
