"""`importlib.metadata`, loaded when it is used.

`websockets` imports it at every start to learn its own version, which only its unreleased builds then ask for. That is
a tenth of the instructions and 1.6 MB of the memory of a whole start (docs/dependencies.md); a driver from another
package is the only thing that ever needs it here.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_NAME = "importlib.metadata"


class _OnUse(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # the import system looks at a module before anybody uses it
        if sys.modules.get(_NAME) is self:
            del sys.modules[_NAME]
        return getattr(importlib.import_module(_NAME), name)


def install() -> None:
    """Before the first import of `websockets`. What is loaded already stays."""
    if _NAME not in sys.modules:
        sys.modules[_NAME] = _OnUse(_NAME)
        # `import importlib.metadata` binds the submodule only where it loads it.
        importlib.metadata = sys.modules[_NAME]
