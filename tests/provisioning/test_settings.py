"""Durable settings: what was saved is what is read, whatever happened in between."""

from __future__ import annotations

import os
import resource
import signal
import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.errors import SettingsError
from provisioning.settings import KEPT_DAMAGED_FILES, Content, Csms, Firmware, Network, Settings

TEXT = st.text(max_size=20)
MAPS = st.dictionaries(TEXT, TEXT, max_size=4)
CONTENTS = st.builds(
    Content,
    st.builds(
        Csms,
        url=st.none() | TEXT,
        identity=st.none() | TEXT,
        security_profile=st.none() | st.integers(0, 3),
        versions=st.none() | st.lists(TEXT, max_size=3).map(tuple),
        basic_auth_password=st.none() | st.binary(max_size=20),
        root_ca=st.none() | TEXT,
        client_certificate=st.none() | TEXT,
        client_key=st.none() | TEXT,
    ),
    st.builds(Firmware, st.none() | TEXT),
    st.builds(Network, proxy=st.none() | TEXT, time_servers=st.none() | st.lists(TEXT, max_size=3).map(tuple)),
    MAPS,
    MAPS,
)


def saved(state_dir: Path, *, url: str) -> Settings:
    """Settings in which this URL was saved, over what was there."""
    settings = Settings.load(state_dir)
    settings.update(csms=settings.content.csms._replace(url=url))
    settings.save()
    return settings


def set_parts(settings: Settings, content: Content) -> None:
    settings.update(**content._asdict())


def test_without_a_file_nothing_is_set(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path / "absent")
    assert settings.content == Content()
    assert settings.generation == 0
    assert settings.warnings == ()
    assert not (tmp_path / "absent").exists()


@hypothesis.settings(deadline=None)  # a disk that others use, too, is as slow as it is
@given(CONTENTS)
def test_what_was_saved_is_read(tmp_path_factory: pytest.TempPathFactory, content: Content) -> None:
    state_dir = tmp_path_factory.mktemp("state")
    settings = Settings.load(state_dir)
    set_parts(settings, content)
    assert settings.save() == (content != Content())
    again = Settings.load(state_dir)
    assert again.content == content
    assert again.generation == settings.generation
    assert again.warnings == ()


def test_the_directory_is_0700_and_the_files_0600(tmp_path: Path) -> None:
    state_dir = tmp_path / "a" / "state"
    previous = os.umask(0)
    try:
        saved(state_dir, url="ws://one")
        saved(state_dir, url="ws://two")
    finally:
        os.umask(previous)
    assert state_dir.stat().st_mode & 0o777 == 0o700
    assert {entry.name: entry.stat().st_mode & 0o777 for entry in state_dir.iterdir()} == {
        "settings.json": 0o600,
        "settings.json.bak": 0o600,
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_writes_belongs_to_the_owner_of_the_directory(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 1235)
    saved(tmp_path, url="ws://one")
    written = (tmp_path / "settings.json").stat()
    assert (written.st_uid, written.st_gid) == (1234, 1235)


def test_nothing_is_written_when_nothing_changed(tmp_path: Path) -> None:
    settings = saved(tmp_path, url="ws://one")
    before = (tmp_path / "settings.json").stat()
    settings.update(csms=settings.content.csms._replace(url="ws://two"))
    settings.update(csms=settings.content.csms._replace(url="ws://one"))
    assert settings.save() is False
    after = (tmp_path / "settings.json").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert settings.generation == 1


def test_secrets_are_in_no_repr(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path)
    secret = Csms(basic_auth_password=b"correct-horse", client_key="-----BEGIN PRIVATE KEY----- battery")
    settings.update(csms=secret, variables={"Custom/Pin": "staple"})
    for text in (repr(settings), repr(settings.content), str(settings.content.csms)):
        assert "<set>" in text
        assert not any(word in text for word in ("horse", "battery", "staple", b"correct-horse".hex()))


def test_fields_of_a_later_version_are_kept(tmp_path: Path) -> None:
    settings = saved(tmp_path, url="ws://one")
    later = {**settings._document, "future": [1, {"a": None}], "csms": {"url": "ws://one", "slot2": {"url": "ws://x"}}}
    settings = Settings(tmp_path, later)
    settings.update(csms=Csms(url="ws://two"))
    settings.save()
    again = Settings.load(tmp_path)
    again.update(availability={"1": "Inoperative"})
    again.save()
    kept = Settings.load(tmp_path)._document
    assert kept["future"] == [1, {"a": None}]
    assert kept["csms"] == {"url": "ws://two", "slot2": {"url": "ws://x"}}


def flip_a_bit(data: bytes) -> bytes:
    middle = data.index(b"ws://two") + 6
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        flip_a_bit,
        lambda data: data[: len(data) // 2],
        lambda _: b"",
        lambda data: bytes(len(data)),
        lambda data: b"\xff" + data,
        lambda _: b"[]",
        lambda _: b"[" * 100_000,
        lambda data: data + b" " * 4 * 1024 * 1024,
    ],
    ids=["a bit", "cut off", "empty", "zeros", "not text", "a list", "deep", "too large"],
)
def test_a_damaged_file_gives_way_to_the_generation_before(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    saved(tmp_path, url="ws://one")
    saved(tmp_path, url="ws://two")
    file = tmp_path / "settings.json"
    damaged = damage(file.read_bytes())
    file.write_bytes(damaged)
    assert Settings.load(tmp_path, read_only=True).content.csms.url == "ws://one"
    assert file.exists()
    settings = Settings.load(tmp_path)
    assert settings.content.csms.url == "ws://one"
    (warning,) = settings.warnings
    assert "settings.json is damaged" in warning
    assert "set aside as settings.json.corrupt-1" in warning
    assert (tmp_path / "settings.json.corrupt-1").read_bytes() == damaged
    saved(tmp_path, url="ws://three")
    assert Settings.load(tmp_path).content.csms.url == "ws://three"
    assert Settings.load(tmp_path).warnings == ()


def test_with_both_generations_damaged_the_settings_are_empty_and_say_so(tmp_path: Path) -> None:
    saved(tmp_path, url="ws://one")
    saved(tmp_path, url="ws://two")
    for name in ("settings.json", "settings.json.bak"):
        (tmp_path / name).write_text("{}")
    settings = Settings.load(tmp_path)
    assert settings.content == Content()
    assert "apply the site profile again" in settings.warnings[-1]


def test_only_so_many_damaged_files_are_kept(tmp_path: Path) -> None:
    for number in range(KEPT_DAMAGED_FILES + 3):
        saved(tmp_path, url=f"ws://{number}")
        (tmp_path / "settings.json").write_text(str(number))
        Settings.load(tmp_path)
    kept = sorted(entry.read_text() for entry in tmp_path.glob("settings.json.corrupt-*"))
    assert kept == [str(number + 3) for number in range(KEPT_DAMAGED_FILES)]


@contextmanager
def no_room_beyond(size_bytes: int) -> Iterator[None]:
    """The file system takes no file larger than this."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_leaves_the_old_settings_and_the_next_save_succeeds(tmp_path: Path) -> None:
    settings = saved(tmp_path, url="ws://one")
    settings.update(csms=Csms(url="ws://two", root_ca=string.ascii_letters * 100))
    with no_room_beyond(1000), pytest.raises(SettingsError, match="make room"):
        settings.save()
    assert Settings.load(tmp_path).content.csms.url == "ws://one"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["settings.json"]
    assert settings.save() is True
    assert Settings.load(tmp_path).content.csms.url == "ws://two"


def test_a_state_directory_that_is_a_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(SettingsError, match=r"cannot read the settings in .*file: a part of this path"):
        Settings.load(file)


def test_a_leftover_of_an_interrupted_save_does_no_harm(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    (state_dir / "settings.json.new").symlink_to(elsewhere)
    saved(state_dir, url="ws://one")
    assert Settings.load(state_dir).content.csms.url == "ws://one"
    assert elsewhere.read_text() == "precious"
