"""The agent's error tree.

Protocol errors (agent.ocpp.errors) and hardware errors (hal.errors) have trees of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class AgentError(Exception):
    """Root of what the agent raises for causes outside its own code."""


class ConfigProblem(NamedTuple):
    """One mistake in a configuration file. `key` is the path inside it, empty for the whole file."""

    file: str
    key: str
    wrong: str
    right: str

    def __str__(self) -> str:
        where = f"{self.file}: {self.key}" if self.key else self.file
        return f"{where}: {self.wrong}; {self.right}"


class ConfigError(AgentError):
    """The configuration cannot be used. Carries every problem found; `str()` gives one line for each."""

    def __init__(self, problems: Iterable[ConfigProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class StoreError(AgentError):
    """Durable state could not be read or written."""


class TransferError(AgentError):
    """A file could not be fetched or delivered."""
