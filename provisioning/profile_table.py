"""Reading one table of a site profile: typed values out, mistakes noted with their key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provisioning.bounded_file import read_bounded
from provisioning.errors import Problem
from provisioning.setting_names import dotted

_LONGEST_TEXT = 4096


class ProfileTable:
    """A table being read key by key. `done()` ends it: what nobody asked for is a mistake.

    A mistake is appended to `problems`, and the value counts as absent, so that reading goes on and finds the next one.
    Without a `folder`, certificates cannot be named by file.
    """

    __slots__ = ("_asked", "_folder", "content", "path", "problems")

    def __init__(self, path: str, content: object, problems: list[Problem], folder: Path | None) -> None:
        self.path = path
        self.problems = problems
        self.content: Mapping[str, Any] = {}
        self._asked: list[str] = []
        self._folder = folder
        if isinstance(content, Mapping):
            self.content = content
        else:
            problems.append(Problem(path, f"is {_kind(content)}", f"write a table: [{path}]"))

    def key(self, name: str) -> str:
        """What a key of this table is called in the document."""
        return f"{self.path}.{dotted(name)}" if self.path else dotted(name)

    def problem(self, name: str, wrong: str, right: str) -> None:
        self.problems.append(Problem(self.key(name), wrong, right))

    def table(self, name: str) -> ProfileTable:
        """A table below this one; empty if absent."""
        self._asked.append(name)
        return ProfileTable(self.key(name), self.content.get(name, {}), self.problems, self._folder)

    def text(self, name: str) -> str | None:
        """A text of at most 4096 characters."""
        value = self._take(name)
        if value is None:
            return None
        if not isinstance(value, str):
            self.problem(name, f"is {_kind(value)}", 'write a text in quotes: "..."')
            return None
        if len(value) > _LONGEST_TEXT:
            self.problem(name, f"has {len(value)} characters", f"write at most {_LONGEST_TEXT}")
            return None
        return value

    def integer(self, name: str, low: int, high: int) -> int | None:
        value = self._take(name)
        if value is None or (type(value) is int and low <= value <= high):
            return value
        wrong = f"is {value}" if type(value) is int else f"is {_kind(value)}"
        self.problem(name, wrong, f"write a whole number from {low} to {high}, without quotes")
        return None

    def texts(self, name: str, most: int) -> tuple[str, ...] | None:
        """A list of at most `most` texts."""
        value = self._take(name)
        if value is None:
            return None
        right = f'write a list of at most {most} texts: ["...", "..."]'
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.problem(name, f"is {_kind(value)}", right)
            return None
        if len(value) > most:
            self.problem(name, f"has {len(value)} items", right)
            return None
        return tuple(value)

    def pem(self, name: str) -> str | None:
        """A PEM text: the value itself, or the content of the file that it names. "" stays empty."""
        value = self._take(name)
        if value is None:
            return None
        if not isinstance(value, str):
            self.problem(name, f"is {_kind(value)}", "write a file name or the PEM text itself, in quotes")
            return None
        if not value or "-----BEGIN " in value:
            return value
        if self._folder is None:
            self.problem(name, "is not PEM text", "give the text itself: files are not opened here")
            return None
        path = self._folder / value
        try:
            return read_bounded(path).decode("utf-8-sig")
        except UnicodeDecodeError:
            right = f"convert it: openssl x509 -inform der -in {path.name} -out {path.stem}.pem"
            self.problem(name, f"{path} is binary, not PEM text", right)
        except ValueError:
            self.problem(name, f"{value[:80]!r} is not a file name", "write a file name or the PEM text itself")
        except OSError as error:
            self.problem(name, f"cannot read {path}: {error.strerror}", "put the file beside the profile")
        return None

    def done(self, belongs: Mapping[str, str] | None = None) -> None:
        """Notes every key that was not asked for. `belongs`: where a key goes that is often put here."""
        for name in self.content:
            if name in self._asked:
                continue
            if belongs and name in belongs:
                self.problem(name, "is at the wrong place", f"write it as {belongs[name]}")
            else:
                self.problem(name, "is not a known key", self._nearest(name))

    def _take(self, name: str) -> Any:
        self._asked.append(name)
        return self.content.get(name)

    def _nearest(self, name: str) -> str:
        from difflib import get_close_matches  # noqa: PLC0415 - only for a mistake

        nearest = get_close_matches(name.lower(), self._asked, 1, cutoff=0.5)
        known = ", ".join(map(self.key, self._asked))
        return f"did you mean {self.key(nearest[0])}?" if nearest else f"known are {known}"


def _kind(value: object) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a table"}
    return names.get(type(value), f"a {type(value).__name__}")
