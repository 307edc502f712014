"""Reading one TOML table: typed values out, mistakes noted with their key, the nearest known key for a typo."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from agent.errors import ConfigProblem

_T = TypeVar("_T")


class ConfigTable:
    """A table of a configuration file being read key by key. `done()` ends it: what nobody asked for is a
    mistake.

    A mistake is appended to `problems`, and the value becomes the default, so that reading goes on and finds
    the next one.
    """

    __slots__ = ("_asked", "_content", "file", "path", "problems")

    def __init__(self, file: str, path: str, content: object, problems: list[ConfigProblem]) -> None:
        self.file = file
        self.path = path
        self.problems = problems
        self._asked: list[str] = []
        self._content: dict[str, Any] = {}
        if isinstance(content, dict):
            self._content = content
        else:
            self.problem("", f"is {_shown(content)}", f"must be a table: [{path}]")

    def __contains__(self, key: str) -> bool:
        return key in self._content

    def problem(self, key: str, wrong: str, right: str) -> None:
        """Notes a mistake at a key of this table; an empty key is the table itself."""
        full = ".".join(filter(None, (self.path, key)))
        self.problems.append(ConfigProblem(self.file, full, wrong, right))

    def string(self, key: str, default: str = "", *, longest: int, required: bool = False) -> str:
        """A printable text of 1 to `longest` characters without spaces at its ends."""
        right = f"must be a text of 1 to {longest} characters"
        value = self._take(key, str, right, required=required)
        if value is None:
            return default
        if not value or len(value) > longest:
            self.problem(key, f"has {len(value)} characters", right)
        elif not value.isprintable():
            self.problem(key, "holds control characters", right)
        elif value != value.strip():
            self.problem(key, f"{value!r} has spaces at its ends", "must be written without them")
        else:
            return value
        return default

    def integer(self, key: str, default: int, low: int, high: int, *, required: bool = False) -> int:
        right = f"must be a whole number from {low} to {high}"
        value = self._take(key, int, right, required=required)
        if value is None:
            return default
        if not low <= value <= high:
            self.problem(key, f"is {value}", right)
            return default
        return value

    def number(self, key: str, default: float, low: float, high: float, unit: str, *, required: bool = False) -> float:
        right = f"must be a number from {low:g} to {high:g} {unit}"
        value = self._take(key, (int, float), right, required=required)
        if value is None:
            return default
        if not low <= value <= high:
            self.problem(key, f"is {value}", right)
            return default
        return float(value)

    def boolean(self, key: str, *, default: bool) -> bool:
        self._asked.append(key)
        value = self._content.get(key, default)
        if not isinstance(value, bool):
            self.problem(key, f"is {_shown(value)}", "must be true or false")
            return default
        return value

    def choice(self, key: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self._take(key, str, f"must be one of {', '.join(allowed)}")
        if value is None:
            return default
        if value not in allowed:
            self.problem(key, f"is {_shown(value)}", f"must be one of {', '.join(allowed)}")
            return default
        assert isinstance(value, str)
        return value

    def strings(self, key: str, default: tuple[str, ...] = (), *, required: bool = False) -> tuple[str, ...]:
        """A list of at least one text."""
        right = f'must be a list of texts: {key} = ["...", "..."]'
        value = self._take(key, list, right, required=required)
        if value is None:
            return default
        if not value or not all(isinstance(item, str) and item for item in value):
            self.problem(key, f"is {_shown(value)}", right)
            return default
        return tuple(value)

    def table(self, key: str) -> ConfigTable:
        """A table inside this one; an absent one is empty."""
        self._asked.append(key)
        return ConfigTable(self.file, self._below(key), self._content.get(key, {}), self.problems)

    def tables(self, key: str) -> list[ConfigTable]:
        """An array of tables (`[[key]]`), each with its number from 1 in its path."""
        self._asked.append(key)
        content = self._content.get(key, [])
        if not isinstance(content, list):
            self.problem(key, f"is {_shown(content)}", f"must be written as [[{self._below(key)}]]")
            return []
        return [
            ConfigTable(self.file, f"{self._below(key)}[{number}]", item, self.problems)
            for number, item in enumerate(content, start=1)
        ]

    def names(self) -> list[str]:
        """The keys present, in the order of the file."""
        return list(self._content)

    def values(self) -> dict[str, str | int | float | bool]:
        """All scalar keys of a table whose names are not fixed. Anything else is a mistake."""
        found: dict[str, str | int | float | bool] = {}
        for key, value in self._content.items():
            self._asked.append(key)
            if isinstance(value, str | int | float | bool):
                found[key] = value
            else:
                right = "must be one value: a list as a text with commas, an instance with its name in quotes"
                self.problem(key, f"is {_shown(value)}", right)
        return found

    def content(self) -> dict[str, Any]:
        """All of it, for whoever validates it (a driver its options)."""
        self._asked.extend(self._content)
        return self._content

    def done(self) -> None:
        """Names every key that nobody asked for."""
        for key in self._content:
            if key not in self._asked:
                self.unknown(key, key, self._asked)

    def unknown(self, key: str, name: str, known: Iterable[str], otherwise: str = "") -> None:
        """Notes a name that is not among `known`: at a key, or the key itself."""
        wrong = "is not known" if name == key else f"names {name!r}"
        self.problem(key, wrong, _nearest(name, known) or otherwise or f"known here: {', '.join(known)}")

    def _take(
        self, key: str, kind: type[_T] | tuple[type[_T], ...], right: str, *, required: bool = False
    ) -> _T | None:
        self._asked.append(key)
        value = self._content.get(key)
        if value is None:
            if required:
                self.problem(key, "is missing", right)
        elif not isinstance(value, kind) or isinstance(value, bool):
            self.problem(key, f"is {_shown(value)}", right)
            return None
        return value

    def _below(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


def _shown(value: object) -> str:
    shown = "true" if value is True else "false" if value is False else repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean X?`, or nothing."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistake needs it

    spelling = {candidate.casefold(): candidate for candidate in known}
    matches = get_close_matches(name.casefold(), spelling, n=1)
    return f"did you mean {spelling[matches[0]]}?" if matches else ""
