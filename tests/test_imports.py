"""Who may import whom, held over the import statements of every module (docs/architecture.md)."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("agent", "hal", "provisioning")

# Package or module: the packages and modules of ours that it may import, itself aside. The longest name that fits
# a module counts; a module that only the bare "agent" fits is a part of the shell and may use whatever is not above it.
ALLOWED: dict[str, tuple[str, ...]] = {
    "hal": (),
    "provisioning": (),
    "agent.errors": (),
    "agent.clock": ("agent.charging",),
    "agent.charging": (),
    "agent.ocpp": ("agent.charging",),
    "agent.ocpp.v16": ("agent.ocpp", "agent.charging"),
    "agent.ocpp.v201": ("agent.ocpp", "agent.charging"),
    "agent.ocpp.v21": ("agent.ocpp", "agent.ocpp.v201", "agent.charging"),
    "agent.store": ("agent.charging", "agent.errors"),
    "agent.csms": ("agent.ocpp", "agent.charging", "agent.store", "agent.errors", "agent.clock"),
    "agent.hardware": ("agent.charging", "agent.errors", "agent.clock", "hal"),
    "agent.app": OURS,
    "agent.cli": OURS,
    "agent.bench": OURS,
    "agent": OURS,
}

# What stands at the top: nothing but the top imports it.
TOP = ("agent.app", "agent.cli", "agent.bench")

VERSIONS = ("agent.ocpp.v16", "agent.ocpp.v201", "agent.ocpp.v21")

PURE = ("agent.charging", "agent.ocpp")
IMPURE_STDLIB = {
    "asyncio", "http", "io", "multiprocessing", "os", "pathlib", "random", "secrets", "selectors", "shutil", "signal",
    "socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time", "urllib", "uuid",
}  # fmt: skip

# Costly to import or without use in most runs: the daemon imports them inside the function that needs them.
ON_USE = ("cryptography", "serial", "ocpp", "websockets.asyncio", "jsonschema", "fastjsonschema", "dataclasses")
NOT_IN_THE_DAEMON = ("agent.bench", "agent.cli", "provisioning", "hal.drivers.mock")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    module_name(path): path
    for package in OURS
    for path in sorted((ROOT / package).rglob("*.py"))
    if not module_name(path).startswith("agent.ocpp.validators.")
}


def within(module: str, names: tuple[str, ...]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in names)


def only_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def imported(module: str, *, inside_functions: bool) -> Iterator[str]:
    """The names of the modules that the import statements of `module` load."""

    def walk(node: ast.AST) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{module}: relative import"
                assert child.module is not None
                yield child.module
                yield from (f"{child.module}.{alias.name}" for alias in child.names)
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                if inside_functions:
                    yield from walk(child)
            elif not only_for_types(child):
                yield from walk(child)

    yield from walk(ast.parse(MODULES[module].read_text("utf-8")))


def is_allowed(module: str, target: str) -> bool:
    rule = max((name for name in ALLOWED if within(module, (name,))), key=len)
    allowed = (*ALLOWED[rule], rule)
    if within(target, VERSIONS) and rule not in VERSIONS and rule.startswith("agent.ocpp"):
        return False
    if rule in VERSIONS and within(target, VERSIONS):
        return within(target, (rule, *(name for name in allowed if name in VERSIONS)))
    if within(target, TOP) and rule not in TOP:
        return False
    return within(target, allowed)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_lies_below_it(module: str) -> None:
    targets = [name for name in imported(module, inside_functions=True) if within(name, OURS)]
    # `from agent import x` names the package too, which is empty.
    wrong = sorted({name for name in targets if name != "agent" and not is_allowed(module, name)})
    assert not wrong


@pytest.mark.parametrize("module", [name for name in MODULES if within(name, PURE)])
def test_the_pure_packages_import_nothing_that_does_io(module: str) -> None:
    wrong = {name for name in imported(module, inside_functions=True) if name.partition(".")[0] in IMPURE_STDLIB}
    assert not wrong


@pytest.mark.parametrize("module", [name for name in MODULES if within(name, PURE)])
def test_the_pure_packages_need_the_standard_library_only(module: str) -> None:
    tops = {name.partition(".")[0] for name in imported(module, inside_functions=True)}
    assert tops <= sys.stdlib_module_names | {"agent"}


@pytest.mark.parametrize("module", [name for name in MODULES if not within(name, NOT_IN_THE_DAEMON)])
def test_the_daemon_imports_heavy_modules_on_use(module: str) -> None:
    wrong = {name for name in imported(module, inside_functions=False) if within(name, ON_USE)}
    assert not wrong


@pytest.mark.parametrize("module", [name for name in MODULES if not within(name, ("hal.drivers", "agent.bench"))])
def test_only_the_bench_knows_that_hardware_can_be_simulated(module: str) -> None:
    assert not any(within(name, ("hal.drivers",)) for name in imported(module, inside_functions=True))


@pytest.mark.parametrize(
    ("module", "target"),
    [
        ("hal.board", "agent.charging.types"),
        ("provisioning.settings", "hal.errors"),
        ("agent.charging.evse", "agent.ocpp.rpc"),
        ("agent.ocpp.rpc", "agent.ocpp.v16.adapter"),
        ("agent.ocpp.v16.adapter", "agent.ocpp.v201.adapter"),
        ("agent.ocpp.v201.adapter", "agent.ocpp.v16"),
        ("agent.store.queue", "agent.csms.uplink"),
        ("agent.csms.connection", "agent.app"),
        ("agent.local.status", "agent.bench.csms"),
        ("agent.hardware", "agent.ocpp.rpc"),
    ],
)
def test_the_rules_forbid(module: str, target: str) -> None:
    assert not is_allowed(module, target)


@pytest.mark.parametrize(
    ("module", "target"),
    [
        ("agent.ocpp.v21.adapter", "agent.ocpp.v201.adapter"),
        ("agent.ocpp.v16.adapter", "agent.ocpp.errors"),
        ("agent.csms.uplink", "agent.store.queue"),
        ("agent.app", "agent.ocpp.v16.adapter"),
        ("agent.config", "agent.errors"),
        ("agent.hardware", "hal.errors"),
    ],
)
def test_the_rules_allow(module: str, target: str) -> None:
    assert is_allowed(module, target)
