"""What is measured: a program in a process of its own, and what the kernel says it has used."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from agent.bench.station_files import configuration, write_configuration

HERE = Path(__file__).parent
PING_INTERVAL_S = 20
"""What `websockets` does by default, and so the floor; the agent is set to the same."""


class SubjectDiedError(RuntimeError):
    """It ended by itself, and so was not measured. The text ends with its log, where there is one."""


class Subject:
    """`command` in a process of its own, from entering the block until it ends. Its output goes to `log`.

    Leaving the block raises SubjectDiedError if it had ended before.
    """

    def __init__(self, identity: str, command: list[str], log: Path | None = None) -> None:
        self.identity = identity
        self._command = command
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Subject:
        # A charger's image has its bytecode compiled; without it, start-up takes three times as long.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        with ExitStack() as files:
            # Without a log of its own, what it complains of is seen at once.
            log = files.enter_context(self._log.open("ab")) if self._log else None
            self._process = await asyncio.create_subprocess_exec(
                *self._command, cwd=HERE, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """SIGTERM, as whoever stops a service does it; the floor and the peer have no better end either."""
        assert self._process is not None
        if self._process.returncode is not None:
            end = self._log.read_text()[-2000:] if self._log and self._log.is_file() else ""
            raise SubjectDiedError(f"{self.identity} exited with {self._process.returncode}\n{end}") from error
        self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(6):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def cpu_s(self) -> float:
        """CPU time of the whole process so far, of threads that have ended too."""
        # The kernel's clock id of another process's CPU clock (clock_getcpuclockid(3)); /proc/PID/task/*/schedstat
        # says the same, without the ended threads.
        return time.clock_gettime(~self.pid << 3 | 2)

    @property
    def rss_mb(self) -> float:
        """Resident memory, MB."""
        return _field(self.pid, "status", "VmRSS") / 1000

    @property
    def wake_ups(self) -> int:
        """How often one of its threads has waited for something, and got it, so far."""
        tasks = Path(f"/proc/{self.pid}/task")
        return sum(_field(self.pid, f"task/{task.name}/status", "voluntary_ctxt_switches") for task in tasks.iterdir())

    @property
    def written_bytes(self) -> int:
        """What it has caused to be written to the storage so far, in whole pages."""
        return _field(self.pid, "io", "write_bytes")


def floor(url: str, identity: str, *options: str) -> Subject:
    """The floor; see floor.py for the options."""
    return Subject(identity, [sys.executable, "-m", "floor", f"{url}/{identity}", *options])


def peer(url: str, identity: str, *options: str) -> Subject:
    """The peer; see peer_ocpp.py for the options."""
    return Subject(identity, [sys.executable, "-m", "peer_ocpp", f"{url}/{identity}", *options])


class Station:
    """The agent's files below `directory`, for any number of starts.

    variables: OCPP 2.x variables, as `{"TxCtrlr": {"EVConnectionTimeOut": 5}}`. keys: OCPP 1.6's.
    """

    def __init__(
        self, directory: Path, url: str, identity: str, *, evses: int = 1, keys: dict[str, object] | None = None
    ) -> None:
        self.identity = identity
        self.state_dir = directory / "state"
        self.control = self.state_dir / "mock.sock"
        self.log = directory / "agent.log"
        self.config = directory / "config.toml"
        directory.mkdir(parents=True)
        wanted = {"WebSocketPingInterval": PING_INTERVAL_S, **(keys or {})}
        write_configuration(self.config, configuration(url, identity=identity, evses=evses, keys=wanted))

    def agent(self, *program: str) -> Subject:
        """The agent on these files. program: what to run instead of `-m agent.cli`."""
        places = ("--config", str(self.config), "--state-dir", str(self.state_dir))
        command = [sys.executable, *(program or ("-m", "agent.cli")), "run", *places]
        return Subject(self.identity, command, self.log)


def _field(pid: int, file: str, name: str) -> int:
    """The number behind `name:` in a file of /proc/PID."""
    for line in Path(f"/proc/{pid}/{file}").read_text("ascii").splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0])
    raise LookupError(f"/proc/{pid}/{file} has no {name}")
