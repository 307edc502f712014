"""The state directory serves the user whom it is for, and an obstacle comes with its remedy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from provisioning.errors import SettingsError
from provisioning.settings import Csms, Settings
from provisioning.state_lock import exclusive

NOBODY = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that everybody may look into."""
    with TemporaryDirectory() as path:
        Path(path).chmod(0o755)
        yield Path(path)


@contextmanager
def nobody() -> Iterator[None]:
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def owners(*paths: Path) -> set[int]:
    return {path.stat().st_uid for path in paths}


def refusal(state_dir: Path) -> str:
    with nobody(), pytest.raises(SettingsError) as refused:
        exclusive(state_dir)
    return str(refused.value)


def test_what_root_makes_before_the_first_start_is_the_agents(place: Path) -> None:
    os.chown(place, NOBODY, NOBODY)
    state_dir = place / "local" / "state"
    with exclusive(state_dir):
        settings = Settings.load(state_dir)
        settings.update(csms=Csms(url="ws://a"))
        settings.save()
    assert owners(state_dir.parent, state_dir, *state_dir.iterdir()) == {NOBODY}
    assert state_dir.stat().st_mode & 0o777 == 0o700
    with nobody(), exclusive(state_dir):
        assert Settings.load(state_dir).content.csms.url == "ws://a"


def test_a_directory_that_is_there_keeps_its_owner(place: Path) -> None:
    os.chown(place, NOBODY, NOBODY)
    (place / "state").mkdir()
    exclusive(place / "state").release()
    assert owners(place / "state", place / "state" / "state.lock") == {0}


def test_somebody_elses_directory_is_named_with_its_owner(place: Path) -> None:
    state_dir = place / "state"
    exclusive(state_dir).release()
    text = refusal(state_dir)
    assert f"{state_dir} belongs to root and this runs as nobody" in text
    assert f"run this as root, or as root  chown -R nobody {state_dir}" in text


def test_a_file_of_somebody_elses_in_it_too(place: Path) -> None:
    exclusive(place / "state").release()
    os.chown(place / "state", NOBODY, NOBODY)
    text = refusal(place / "state")
    assert f"{place / 'state' / 'state.lock'} belongs to root" in text
    assert f"chown -R nobody {place / 'state'}" in text


def test_a_directory_that_one_may_not_make_is_made_by_root(place: Path) -> None:
    text = refusal(place / "state")
    assert f"{place} belongs to root and this runs as nobody" in text
    assert f"install -d -m 700 -o nobody {place / 'state'}" in text


def test_behind_a_closed_door_another_place_is_advised(place: Path) -> None:
    (place / "closed").mkdir(mode=0o700)
    text = refusal(place / "closed" / "state")
    assert f"{place / 'closed'} belongs to root" in text
    assert text.endswith("or choose another --state-dir")


def test_ones_own_directory_without_rights(place: Path) -> None:
    (place / "state").mkdir(mode=0o500)
    os.chown(place / "state", NOBODY, NOBODY)
    assert f"run  chmod u+rwX {place / 'state'}" in refusal(place / "state")
