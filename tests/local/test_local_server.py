"""The running agent's own socket."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from agent.local.server import LocalServer


async def test_it_closes_while_somebody_is_connected(caplog: pytest.LogCaptureFixture) -> None:
    with TemporaryDirectory(prefix="evse-agent-") as directory:
        server = LocalServer(Path(directory) / "agent.sock", {"status": lambda _request: {"well": True}})
        await server.open()
        reader, writer = await asyncio.open_unix_connection(str(Path(directory) / "agent.sock"))
        writer.write(b'{"op": "status"}\n')
        assert json.loads(await reader.readline()) == {"well": True}
        await server.close()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
