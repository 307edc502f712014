"""docs/configuration.md is complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent import config
from agent.charging import variables as v
from agent.charging.characteristics import VariableId
from agent.ocpp.v16.configuration import KEYS

TEXT = (Path(__file__).parent.parent / "docs" / "configuration.md").read_text()


@pytest.mark.parametrize("key", [key.name for key in KEYS])
def test_each_key_is_described(key: str) -> None:
    assert re.search(rf"^\| `{key}` \|", TEXT, re.MULTILINE)


@pytest.mark.parametrize("variable", [spec.id for spec in v.STANDARD_VARIABLES], ids=str)
def test_each_variable_is_described(variable: VariableId) -> None:
    assert f"`{str(variable).replace('/', '.', 1)}`" in TEXT


@pytest.mark.parametrize("kind", config.CONNECTOR_TYPES)
def test_each_connector_type_is_named(kind: str) -> None:
    assert f"`{kind}`" in TEXT


def test_its_example_is_valid(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    assert example
    path = tmp_path / "config.toml"
    path.write_text(example[1])
    assert config.load(path).evses
