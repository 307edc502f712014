"""The stand-in for importlib.metadata: nothing is loaded until it is used, and then it is the real thing."""

from __future__ import annotations

import subprocess
import sys


def run(code: str) -> str:
    program = f"import sys\nfrom agent.lazy_metadata import install\ninstall()\n{code}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)  # noqa: S603
    return done.stdout.strip()


def test_websockets_does_not_load_it() -> None:
    assert run("import websockets; print('email.message' in sys.modules, websockets.__version__ > '1')") == "False True"


def test_whoever_uses_it_gets_the_real_one() -> None:
    code = (
        "import websockets as w\nfrom importlib.metadata import version\nprint(version('websockets') == w.__version__)"
    )
    assert run(code) == "True"


def test_it_is_found_as_an_attribute_and_by_its_own_import() -> None:
    code = (
        "import importlib.metadata\nprint(importlib.metadata.version('pytest') > '1', 'email.message' in sys.modules)"
    )
    assert run(code) == "True True"


def test_what_is_loaded_already_stays() -> None:
    code = "import importlib.metadata as a; install(); import importlib.metadata as b; print(a is b)"
    assert run(f"del sys.modules['importlib.metadata']\n{code}") == "True"
