"""The real program under test: `evse-agent run` in a process of its own, on mock hardware."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from agent.bench.mock_client import MockClient
from agent.bench.station_files import MOCK_SOCKET, provision, write_configuration
from agent.bench.status import Status, agent_status, wait_for_status

STOP_TIMEOUT_S = 5.0
"""The agent's promise (SIGTERM to exit)."""

_COMMAND_TIMEOUT_S = 20.0
_SHOWN_LOG_CHARACTERS = 8000


class AgentFailedError(AssertionError):
    """The agent did not do as it should; the text ends with its log."""


class AgentProcess:
    """An agent in `directory`, which keeps its configuration, its state and its log through any number of starts.

        async with AgentProcess(tmp_path, configuration(csms.url)) as agent:
            await agent.mock.plug_in()

    directory: of a short path, for Unix sockets lie below it (107 bytes). config: a configuration file's content
    (`agent.bench.station_files.configuration`). password, root_ca: provisioned before the first start.
    environment: in addition to this process's. The block starts it and stops it; where it raises, it is killed.
    """

    def __init__(
        self,
        directory: Path,
        config: Mapping[str, Any],
        *,
        password: str | bytes | None = None,
        root_ca: str | None = None,
        log_level: str = "debug",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.config_path = directory / "config.toml"
        self.state_dir = directory / "state"
        self.log_path = directory / "agent.log"
        self.mock = MockClient(self.state_dir / MOCK_SOCKET)
        self._process: asyncio.subprocess.Process | None = None
        self._log_level = log_level
        self._environment = {
            **os.environ,
            "EVSE_AGENT_CONFIG": str(self.config_path),
            "EVSE_AGENT_STATE": str(self.state_dir),
            **(environment or {}),
        }
        directory.mkdir(parents=True, exist_ok=True)
        write_configuration(self.config_path, config)
        if password is not None or root_ca is not None:
            provision(self.state_dir, password=password, root_ca=root_ca)

    async def __aenter__(self) -> AgentProcess:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self.running:
            return
        if kind is None:
            await self.stop()
        else:
            await self.kill()

    @property
    def running(self) -> bool:
        """The process has been started and has not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """The process's id. Raises AgentFailedError if there is none."""
        return self._running().pid

    @property
    def log(self) -> str:
        """What it has written to its standard output and error so far, over all its starts."""
        return self.log_path.read_text("utf-8", "replace") if self.log_path.exists() else ""

    async def start(self, launcher: Sequence[str] = ("-m", "agent.cli")) -> None:
        """Start the process; it needs a moment until it dials and until the mock answers.

        launcher: what Python is to run, with evse-agent's own arguments behind it.
        """
        assert not self.running, "it is running already"
        with self.log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *launcher,
                "run",
                "--log-level",
                self._log_level,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
            )

    async def stop(self) -> None:
        """SIGTERM. Raises AgentFailedError if it does not exit within 5 s, or not with 0."""
        process = self._running()
        process.send_signal(signal.SIGTERM)
        try:
            status = await self.wait(STOP_TIMEOUT_S)
        except TimeoutError:
            await self.kill()
            raise self._failed(f"it still ran {STOP_TIMEOUT_S:g} s after SIGTERM") from None
        if status != 0:
            raise self._failed(f"after SIGTERM it exited with {status}")

    async def kill(self) -> None:
        """SIGKILL, as a power cut does it."""
        process = self._running()
        process.kill()
        await process.wait()

    async def restart(self) -> None:
        """Stop it and start it again."""
        await self.stop()
        await self.start()

    async def wait(self, timeout_s: float) -> int:
        """Wait until it has ended by itself; its exit code, or minus the signal. Raises TimeoutError."""
        assert self._process is not None, "it was never started"
        async with asyncio.timeout(timeout_s):
            return await self._process.wait()

    async def status(self) -> Status:
        """What `evse-agent status --json` says. Raises NotRunningError."""
        return await agent_status(self.state_dir)

    async def wait_for_status(self, wanted: Callable[[Status], object], timeout_s: float = 10.0) -> Status:
        """Until the status is `wanted`, such as `lambda status: status["queue"]["rows"] == 0`; that status.

        Raises AgentFailedError; at once where the process has ended.
        """
        try:
            return await wait_for_status(self.state_dir, wanted, timeout_s, self._why_ended)
        except AssertionError as error:
            raise self._failed(str(error)) from None

    async def wait_registered(self, timeout_s: float = 10.0) -> None:
        """Until it is connected to a CSMS that has accepted it, now or before a restart. Raises AgentFailedError."""
        await self.wait_for_status(
            lambda status: status["registration"] == "Accepted" and status["link"]["phase"] == "open", timeout_s
        )

    async def run(self, *arguments: str) -> str:
        """Any command of evse-agent on the same state; its output. Raises AgentFailedError if it fails."""
        process = await asyncio.create_subprocess_exec(
            *_command(*arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
        )
        try:
            async with asyncio.timeout(_COMMAND_TIMEOUT_S):
                output, errors = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise self._failed(f"{' '.join(arguments)}: no end after {_COMMAND_TIMEOUT_S:g} s") from None
        if process.returncode != 0:
            raise self._failed(f"{' '.join(arguments)}: exit {process.returncode}: {errors.decode()}")
        return output.decode()

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise self._failed("it was never started")
        if (reason := self._why_ended()) is not None:
            raise self._failed(reason)
        return self._process

    def _why_ended(self) -> str | None:
        if self._process is None or self._process.returncode is None:
            return None
        return f"it has already exited with {self._process.returncode}"

    def _failed(self, what: str) -> AgentFailedError:
        return AgentFailedError(f"{what}. Its log ends:\n{self.log[-_SHOWN_LOG_CHARACTERS:]}")


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "agent.cli", *arguments]
