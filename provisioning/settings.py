"""The station's durable settings: what a technician or the CSMS set, in one JSON file in the state directory.

`settings.json` holds the current generation and `settings.json.bak` the one before it. Each carries a digest over its
content. Whenever power fails, at least one of them is complete:

1. the new generation goes to `settings.json.new` and is flushed;
2. `settings.json` is renamed to `settings.json.bak`;
3. `settings.json.new` is renamed to `settings.json`, and the directory is flushed.

Cut between 2 and 3, the reader finds the old generation in `.bak`. Nothing is written when nothing changed: flash
wears. A field that this version does not know is kept, so that going back to an older image loses nothing.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from provisioning.errors import SettingsError
from provisioning.state_directory import give_to_owner_of, make, why_unusable

LARGEST_FILE_BYTES = 4 * 1024 * 1024
"""A larger file is not one of ours."""

KEPT_DAMAGED_FILES = 3
"""How many damaged files are set aside; the oldest goes first."""


_T = TypeVar("_T", str, int)


class Csms(NamedTuple):
    """How to reach and satisfy the CSMS. None: not set, the factory's value counts.

    `basic_auth_password` is what is sent, decoded (1.6 writes a key as hex digits). Certificates and key are PEM texts.
    """

    url: str | None = None
    identity: str | None = None
    security_profile: int | None = None
    versions: tuple[str, ...] | None = None
    basic_auth_password: bytes | None = None
    root_ca: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None

    def __repr__(self) -> str:
        hidden = ("basic_auth_password", "client_key")
        shown = (
            f"{name}={'<set>' if value is not None and name in hidden else repr(value)}"
            for name, value in zip(self._fields, self, strict=True)
        )
        return f"Csms({', '.join(shown)})"


class Firmware(NamedTuple):
    """`root_ca`: PEM text of what signed firmware must chain to."""

    root_ca: str | None = None


class Network(NamedTuple):
    """`proxy` is an HTTP proxy's URL (http://host:port); `time_servers` are host names."""

    proxy: str | None = None
    time_servers: tuple[str, ...] | None = None


class Content(NamedTuple):
    """One generation of the settings.

    `variables`: device-model key (`Component.instance#evse.connector/Variable.instance`) to value.
    `availability`: "0" (the station), "1" (EVSE 1) or "1.2" (its connector 2) to "Operative" or "Inoperative".
    """

    csms: Csms = Csms()
    firmware: Firmware = Firmware()
    network: Network = Network()
    variables: Mapping[str, str] = MappingProxyType({})
    availability: Mapping[str, str] = MappingProxyType({})

    def __repr__(self) -> str:
        # a maker's own variable may be a secret that we cannot know of
        return f"Content({self.csms!r}, {len(self.variables)} variables, {dict(self.availability)!r})"


class Settings:
    """The settings of one state directory. Whoever saves holds its lock (`provisioning.state_lock`).

    `content` is an immutable snapshot; `update()` replaces parts of it in memory and `save()` makes them durable.
    `warnings` say in words what was wrong with the files when they were read.
    """

    __slots__ = ("_document", "_saved", "_state_dir", "content", "generation", "warnings")

    def __init__(self, state_dir: Path, document: Mapping[str, Any], warnings: tuple[str, ...] = ()) -> None:
        self._state_dir = state_dir
        self._document = document
        self.content = self._saved = _decode(document)
        self.generation = document.get("generation", 0)
        self.warnings = warnings

    def __repr__(self) -> str:
        return f"Settings(generation={self.generation}, {self.content!r})"

    @classmethod
    def load(cls, state_dir: Path, *, read_only: bool = False) -> Settings:
        """Reads the newest complete generation; none at all is an empty one.

        A damaged file is set aside as `settings.json.corrupt-N`, unless `read_only` (for those without the lock).
        Raises SettingsError where the files exist but may not be read.
        """
        current = state_dir / "settings.json"
        warnings: list[str] = []
        for path in (current, state_dir / "settings.json.bak"):
            try:
                document = _read(path)
                if document is not None:
                    return cls(state_dir, document, tuple(warnings))
            except _DamagedError as error:
                fate = "left in place" if read_only else _set_aside(path, current)
                warnings.append(f"{path} is damaged ({error}); {fate}")
        if warnings:
            warnings.append("no complete settings are left: apply the site profile again")
        return cls(state_dir, {}, tuple(warnings))

    def update(
        self,
        *,
        csms: Csms | None = None,
        firmware: Firmware | None = None,
        network: Network | None = None,
        variables: Mapping[str, str] | None = None,
        availability: Mapping[str, str] | None = None,
    ) -> None:
        """Replaces the given parts, in memory: `update(csms=settings.content.csms._replace(url=url))`."""
        old = self.content
        self.content = Content(
            old.csms if csms is None else csms,
            old.firmware if firmware is None else firmware,
            old.network if network is None else network,
            old.variables if variables is None else MappingProxyType(dict(variables)),
            old.availability if availability is None else MappingProxyType(dict(availability)),
        )

    def save(self) -> bool:
        """Makes `content` durable. False if it already was, and nothing was written.

        Raises SettingsError if it could not be written: the previous generation is still there, `content` keeps the
        change, and the next call tries again.
        """
        content = self.content
        if content == self._saved:
            return False
        document = {**_encode(content, self._document), "generation": self.generation + 1}
        try:
            _write(self._state_dir, {**document, "digest": _digest(document)})
        except OSError as error:
            reason = why_unusable(error, self._state_dir)
            raise SettingsError(f"cannot write the settings in {self._state_dir}: {reason}") from error
        self._document, self._saved, self.generation = document, content, self.generation + 1
        return True


class _DamagedError(Exception):
    """A settings file is not what was written."""


def _read(path: Path) -> dict[str, Any] | None:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.EIO, errno.EISDIR):  # a dying flash cell is damage, a lack of rights is not
            raise _DamagedError(error.strerror) from error
        reason = why_unusable(error, path.parent)
        raise SettingsError(f"cannot read the settings in {path.parent}: {reason}") from error
    if len(data) > LARGEST_FILE_BYTES:
        raise _DamagedError("too large")
    try:
        document = json.loads(data)
        digest = document.pop("digest")
        if digest != _digest(document):
            raise _DamagedError("its digest does not match")
        _decode(document)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _DamagedError("not a settings file") from error
    assert isinstance(document, dict)
    return document


def _write(state_dir: Path, document: Mapping[str, Any]) -> None:
    make(state_dir)
    current, new = state_dir / "settings.json", state_dir / "settings.json.new"
    # a leftover may belong to somebody else or be a link; ours is always a fresh file
    new.unlink(missing_ok=True)
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            give_to_owner_of(state_dir, descriptor)
            file.write(json.dumps(document, indent=1, sort_keys=True).encode())
            file.flush()
            os.fsync(descriptor)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    if current.exists():
        current.replace(state_dir / "settings.json.bak")
    new.replace(current)
    _flush_directory(state_dir)


def _flush_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _set_aside(path: Path, current: Path) -> str:
    prefix = f"{current.name}.corrupt-"
    try:
        numbers = [
            int(suffix)
            for entry in current.parent.glob(f"{prefix}*")
            if (suffix := entry.name.removeprefix(prefix)).isdecimal()
        ]
        aside = current.with_name(f"{prefix}{max(numbers, default=0) + 1}")
        path.replace(aside)
        for number in sorted(numbers)[: -(KEPT_DAMAGED_FILES - 1)]:
            current.with_name(f"{prefix}{number}").unlink()
    except OSError as error:
        return f"it could not be set aside ({error.strerror})"
    return f"set aside as {aside.name}"


def _digest(document: Mapping[str, Any]) -> str:
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _decode(document: Mapping[str, Any]) -> Content:
    """The content of a document. Raises TypeError or ValueError where it is not of our shape."""
    csms = _section(document, "csms")
    network = _section(document, "network")
    password = _optional(csms, "basic_auth_password", str)
    generation = document.get("generation", 0)
    if type(generation) is not int:
        raise TypeError("generation")
    return Content(
        Csms(
            url=_optional(csms, "url", str),
            identity=_optional(csms, "identity", str),
            security_profile=_optional(csms, "security_profile", int),
            versions=_texts(csms, "versions"),
            basic_auth_password=None if password is None else bytes.fromhex(password),
            root_ca=_optional(csms, "root_ca", str),
            client_certificate=_optional(csms, "client_certificate", str),
            client_key=_optional(csms, "client_key", str),
        ),
        Firmware(_optional(_section(document, "firmware"), "root_ca", str)),
        Network(_optional(network, "proxy", str), _texts(network, "time_servers")),
        _text_map(document, "variables"),
        _text_map(document, "availability"),
    )


def _encode(content: Content, previous: Mapping[str, Any]) -> dict[str, Any]:
    """A document with this content, and with what `previous` holds that we do not know."""
    csms = content.csms._asdict()
    if content.csms.basic_auth_password is not None:
        csms["basic_auth_password"] = content.csms.basic_auth_password.hex()
    sections = {"csms": csms, "firmware": content.firmware._asdict(), "network": content.network._asdict()}
    document = {key: value for key, value in previous.items() if key != "digest"}
    for name, fields in sections.items():
        merged = {**_section(previous, name), **fields}
        document[name] = {key: value for key, value in merged.items() if value is not None}
    document["variables"] = dict(content.variables)
    document["availability"] = dict(content.availability)
    return document


def _section(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = document.get(name, {})
    if not isinstance(section, dict):
        raise TypeError(name)
    return section


def _optional(section: Mapping[str, Any], key: str, kind: type[_T]) -> _T | None:
    value = section.get(key)
    if value is not None and type(value) is not kind:
        raise TypeError(key)
    return value


def _texts(section: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    value = section.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError(key)
    return tuple(value)


def _text_map(document: Mapping[str, Any], name: str) -> Mapping[str, str]:
    section = _section(document, name)
    if not all(isinstance(value, str) for value in section.values()):
        raise TypeError(name)
    return MappingProxyType(dict(section))
