"""What the build makes of the message schemas."""

from __future__ import annotations

from pathlib import Path

import pytest

import hatch_build
from agent.ocpp import validators

INSTALLED = Path(validators.__file__).parent


def tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text("utf-8") for path in folder.rglob("*.py")}


def test_the_installed_validators_are_those_of_the_installed_schemas(tmp_path: Path) -> None:
    for version in hatch_build.VERSIONS:
        hatch_build.generate(hatch_build.official_schemas(version), tmp_path / version)
        assert tree(tmp_path / version) == tree(INSTALLED / version)


def test_the_generator_takes_the_messages_of_2_0_1_too(tmp_path: Path) -> None:
    hatch_build.generate(hatch_build.official_schemas("v201"), tmp_path / "v201")
    namespace: dict[str, object] = {}
    exec((tmp_path / "v201" / "Reset.py").read_text("utf-8"), namespace)  # noqa: S102  generated a moment ago
    check = namespace["request"]
    assert callable(check)
    check({"type": "Immediate", "evseId": 1}, {})
    for faulty in ({}, {"type": "Now"}, {"type": "Immediate", "evseId": "1"}, {"type": "Immediate", "x": 1}):
        with pytest.raises(ValueError, match=r"^$"):
            check(faulty, {})


def test_generated_code_carries_neither_messages_nor_imports() -> None:
    for name, source in tree(INSTALLED / "v16").items():
        assert "must be" not in source, name
        assert "import" not in source.replace("from decimal import Decimal", ""), name


def test_a_keyword_that_nothing_checks_stops_the_build() -> None:
    with pytest.raises(ValueError, match="uniqueItems"):
        hatch_build.checked({"type": "array", "items": {"type": "array", "uniqueItems": True}})


def test_a_property_may_be_called_like_a_keyword() -> None:
    schema = {"type": "object", "title": "gone", "properties": {"title": {"type": "string", "description": "gone"}}}
    assert hatch_build.checked(schema) == {"type": "object", "properties": {"title": {"type": "string"}}}
