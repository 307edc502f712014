"""What can go wrong in provisioning, in words for a technician."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class ProvisioningError(Exception):
    """Root of what provisioning raises. The message is meant for the person at the keyboard and holds no secret."""


class SettingsError(ProvisioningError):
    """The settings could not be read or written. What was stored before is still stored."""


class StateLockedError(SettingsError):
    """Another process, the agent as a rule, holds the state directory."""


class AgentUnreachableError(ProvisioningError):
    """The running agent did not take the request, so nothing was changed."""


class Problem(NamedTuple):
    """One mistake. `key` is the dotted path in the document, empty for the document as a whole."""

    key: str
    wrong: str
    right: str

    def __str__(self) -> str:
        return f"{self.key}: {self.wrong}; {self.right}" if self.key else f"{self.wrong}; {self.right}"


class DocumentError(ProvisioningError):
    """A site profile, or the configuration file it is checked against, cannot be used.

    Carries every mistake that was found; `str()` gives one line for each. `source` is the document's file; empty where
    there is none.
    """

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{source}: {problem}" if source else str(problem) for problem in self.problems))
