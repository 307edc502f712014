"""The running agent's status (`evse-agent status --json`), asked without blocking the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.local.client import NotRunningError, ask

_POLL_S = 0.05

Status = dict[str, Any]


async def agent_status(state_dir: Path) -> Status:
    """The status of the agent on this state directory. Raises NotRunningError."""
    return await asyncio.to_thread(ask, state_dir / "agent.sock", {"op": "status"})


async def wait_for_status(
    state_dir: Path,
    wanted: Callable[[Status], object],
    timeout_s: float,
    why_none: Callable[[], str | None] = lambda: None,
) -> Status:
    """Until the status is `wanted`; that status. No agent at all is waited for, too.

    Raises AssertionError with the last status, or, where no agent answers, at once with the reason that `why_none` has.
    """
    latest: Status = {}
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    latest = await agent_status(state_dir)
                except NotRunningError as error:
                    latest = {"error": str(error)}
                    if (reason := why_none()) is not None:
                        raise AssertionError(reason) from None
                else:
                    if wanted(latest):
                        return latest
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise AssertionError(f"the agent's status is still this after {timeout_s:g} s: {latest}") from None
