from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from .rigs import RIGS, Rig


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "role(role): the role whose contract a test states, if no parameter says it")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A driver is held to the suites of the roles that it has."""
    other = [item for item in items if not _has_the_role(item)]
    config.hook.pytest_deselected(items=other)
    items[:] = [item for item in items if item not in other]


def _has_the_role(item: pytest.Item) -> bool:
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    if "rig" not in parameters:
        return True  # a test of something else
    marker = item.get_closest_marker("role")
    role = marker.args[0] if marker else parameters["role"]
    joined = cast(type[Rig], parameters["rig"])
    return role in joined.roles


@pytest.fixture(params=list(RIGS.values()), ids=list(RIGS))
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    rig: Rig = request.param(tmp_path)
    await rig.open()
    yield rig
    await rig.close()
