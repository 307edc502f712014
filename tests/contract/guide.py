"""The code of docs/writing-a-driver.md."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

PAGE = Path(__file__).parents[2] / "docs" / "writing-a-driver.md"
METER, RELAY = 0, 1  # the page's Python blocks, in order


def blocks(language: str) -> list[str]:
    """The page's blocks of this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def load(number: int, directory: Path) -> ModuleType:
    """A Python block as a module of its own, kept in this directory."""
    path = directory / f"guide_{number}.py"
    path.write_text(blocks("python")[number], "utf-8")
    found = importlib.util.spec_from_file_location(path.stem, path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
