"""The settings at work: what the CSMS and the technician set wins over the file, and stays."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.charging import variables as v
from agent.charging.device_model import DeviceModel, Source, VariableId
from agent.charging.effects import SaveAvailability
from agent.config import device_model, load
from agent.provisioned import Provisioned
from provisioning.errors import ProvisioningError
from provisioning.settings import Settings

CONFIG = """
[station]
identity = "CP001"
vendor = "Acme"
model = "AC22"
[csms]
url = "ws://127.0.0.1:9000/ocpp"
versions = ["1.6"]
security_profile = 0
[configuration]
HeartbeatInterval = 300
[[evse]]
id = 1
connectors = ["cType2"]
max_current = 32.0
phases = 3
driver = "mock"
"""


class Site:
    """A state directory, and one life of the agent on it after another."""

    def __init__(self, path: Path, config: str = CONFIG) -> None:
        self.state_dir = path / "state"
        self.state_dir.mkdir(mode=0o700)
        file = path / "config.toml"
        file.write_text(config)
        self.config = load(file)
        self.model: DeviceModel
        self.provisioned: Provisioned | None = None

    def start(self) -> Provisioned:
        self.stop()
        self.model = device_model(self.config, "1.0")
        self.provisioned = Provisioned.open(self.state_dir, self.config, self.model)
        return self.provisioned

    def stop(self) -> None:
        if self.provisioned is not None:
            self.provisioned.close()
            self.provisioned = None

    def change(self, variable: VariableId, value: str, source: Source = Source.CSMS) -> bool:
        """A change, and what it makes of the settings: whether the CSMS is to be dialled anew."""
        assert self.provisioned is not None
        assert self.model.set(variable, value, source).accepted
        return self.provisioned.save_variables()

    @property
    def files(self) -> dict[str, tuple[int, int]]:
        return {file.name: (file.stat().st_ino, file.stat().st_mtime_ns) for file in self.state_dir.iterdir()}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.stop()


class TestVariables:
    def test_what_the_csms_sets_outlives_a_restart_and_wins_over_the_file(self, site: Site) -> None:
        site.start()
        assert site.model.integer(v.HEARTBEAT_INTERVAL) == 300
        assert not site.change(v.HEARTBEAT_INTERVAL, "77")
        site.start()
        assert site.model.integer(v.HEARTBEAT_INTERVAL) == 77

    def test_nothing_is_written_where_nothing_changed(self, site: Site) -> None:
        site.start()
        site.change(v.HEARTBEAT_INTERVAL, "77")
        before = site.files
        site.change(v.HEARTBEAT_INTERVAL, "77")
        assert site.provisioned is not None
        site.provisioned.save_variables()
        site.provisioned.save_availability(SaveAvailability(1, 0, operative=True))
        assert site.files == before

    def test_what_no_longer_fits_is_ignored(self, site: Site) -> None:
        settings = Settings.load(site.state_dir)
        variables = {str(v.HEARTBEAT_INTERVAL): "often", "Nonsense/": "1", "": "", str(v.MESSAGE_ATTEMPTS): "4"}
        settings.update(variables=variables)
        settings.save()
        site.start()
        assert site.model.integer(v.HEARTBEAT_INTERVAL) == 300
        assert site.model.integer(v.MESSAGE_ATTEMPTS) == 4

    def test_a_disk_that_takes_nothing_does_not_undo_the_change(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        site.start()

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "replace", full)
        monkeypatch.setattr(Path, "replace", full)
        monkeypatch.setattr(os, "rename", full)
        monkeypatch.setattr(os, "open", full)
        site.change(v.HEARTBEAT_INTERVAL, "77")
        assert site.model.integer(v.HEARTBEAT_INTERVAL) == 77
        monkeypatch.undo()
        site.change(v.MESSAGE_ATTEMPTS, "4")
        site.start()
        assert site.model.integer(v.HEARTBEAT_INTERVAL) == 77, "made up for with the next change"


class TestConnection:
    def test_the_file_until_somebody_says_otherwise(self, site: Site) -> None:
        csms = site.start().csms
        assert (csms.url, csms.identity, csms.security_profile) == ("ws://127.0.0.1:9000/ocpp", "CP001", 0)
        settings = Settings.load(site.state_dir)
        settings.update(csms=settings.content.csms._replace(url="ws://other/ocpp", identity="CP777"))
        settings.save()
        assert site.start().csms_name == "ws://other/ocpp CP777"
        assert site.model.string(v.IDENTITY) == "CP777"

    def test_a_new_password_wants_a_new_connection_and_is_nowhere_in_the_model(self, site: Site) -> None:
        """1.6 security white paper: AuthorizationKey, write-only"""
        site.start()
        assert site.change(v.BASIC_AUTH_PASSWORD, b"correct horse battery".hex(), Source.TECHNICIAN)
        csms = site.start().csms
        assert csms.basic_auth_password == b"correct horse battery"
        assert "correct" not in repr(csms)

    def test_a_higher_security_profile_needs_what_it_is_made_of(self, site: Site) -> None:
        """1.6 security white paper A05.FR.02..04"""
        site.start()
        for profile in ("1", "2", "3"):
            assert not site.model.set(v.SECURITY_PROFILE, profile, Source.STATION).accepted
        site.change(v.BASIC_AUTH_PASSWORD, b"correct horse battery".hex(), Source.TECHNICIAN)
        assert not site.model.set(v.SECURITY_PROFILE, "2", Source.STATION).accepted
        assert site.change(v.SECURITY_PROFILE, "1", Source.STATION)
        assert site.start().csms.security_profile == 1
        assert site.model.integer(v.SECURITY_PROFILE) == 1


class TestAvailability:
    def test_is_kept_by_address(self, site: Site) -> None:
        provisioned = site.start()
        for evse_id, connector_id in ((0, 0), (1, 0), (1, 1)):
            provisioned.save_availability(SaveAvailability(evse_id, connector_id, operative=False))
        provisioned.save_availability(SaveAvailability(1, 0, operative=True))
        assert site.start().inoperative == {(0, 0), (1, 1)}

    def test_addresses_that_are_none_are_ignored(self, site: Site) -> None:
        settings = Settings.load(site.state_dir)
        settings.update(availability={"x": "Inoperative", "1.y": "Inoperative", "1": "Perhaps", "2.1": "Inoperative"})
        settings.save()
        assert site.start().inoperative == {(2, 1)}


class TestHandOver:
    def test_a_profile_is_at_work_at_once(self, site: Site) -> None:
        provisioned = site.start()
        profile = {"csms": {"url": "ws://other/ocpp"}, "configuration": {"HeartbeatInterval": 77}}
        assert provisioned.apply({"profile": profile}, 1_800_000_000_000)["ok"]
        assert provisioned.csms.url == "ws://other/ocpp"
        assert site.model.integer(v.HEARTBEAT_INTERVAL) == 77

    def test_a_technician_takes_back_the_security_profile_that_the_csms_raised(self, site: Site) -> None:
        provisioned = site.start()
        site.change(v.BASIC_AUTH_PASSWORD, b"correct horse battery".hex(), Source.TECHNICIAN)
        assert site.change(v.SECURITY_PROFILE, "1", Source.STATION)
        answer = provisioned.apply({"profile": {"csms": {"security_profile": 0}}}, 1_800_000_000_000)
        assert answer["ok"], answer
        assert provisioned.csms.security_profile == 0
        assert site.model.integer(v.SECURITY_PROFILE) == 0

    def test_one_with_a_mistake_changes_nothing(self, site: Site) -> None:
        provisioned = site.start()
        profile = {"csms": {"url": "http://other/ocpp"}, "configuration": {"HeartbeatInterval": 77}}
        answer = provisioned.apply({"profile": profile}, 1_800_000_000_000)
        assert not answer["ok"]
        assert answer["errors"]
        assert provisioned.csms.url == "ws://127.0.0.1:9000/ocpp"
        assert site.model.integer(v.HEARTBEAT_INTERVAL) == 300


class TestSecurityProfile:
    """As long as nobody has set one it follows the URL in force, wherever that comes from."""

    @pytest.fixture
    def open_site(self, tmp_path: Path) -> Iterator[Site]:
        site = Site(tmp_path, CONFIG.replace("security_profile = 0\n", ""))
        yield site
        site.stop()

    def test_it_follows_the_url(self, open_site: Site) -> None:
        assert open_site.start().csms.security_profile == 1
        assert open_site.model.integer(v.SECURITY_PROFILE) == 1
        assert open_site.provisioned is not None
        answer = open_site.provisioned.apply({"profile": {"csms": {"url": "wss://other"}}}, 1_800_000_000_000)
        assert answer["ok"], answer
        target = open_site.provisioned.target()
        assert target is not None
        assert target.security_profile == 2
        assert open_site.model.integer(v.SECURITY_PROFILE) == 2
        assert open_site.start().csms.security_profile == 2

    def test_what_a_technician_sets_stays(self, open_site: Site) -> None:
        provisioned = open_site.start()
        assert provisioned.apply({"profile": {"csms": {"security_profile": 0}}}, 1_800_000_000_000)["ok"]
        answer = provisioned.apply({"profile": {"csms": {"url": "wss://other"}}}, 1_800_000_000_000)
        assert not answer["ok"]
        assert open_site.start().csms.security_profile == 0

    def test_what_the_file_sets_stays(self, site: Site) -> None:
        assert site.start().csms.security_profile == 0


def test_two_agents_on_one_state_directory_are_one_too_many(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.provisioned._LOCK_WAIT_S", 0.05)
    site.start()
    with pytest.raises(ProvisioningError, match=rf"evse-agent already runs in .* \(pid {os.getpid()}\)"):
        Provisioned.open(site.state_dir, site.config, device_model(site.config, "1.0"))
