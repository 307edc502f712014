"""`evse-provision --local` as a technician meets it: exit codes, words, and what is on the disk afterwards."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from provisioning.settings import Content, Csms, Settings
from provisioning.state_lock import exclusive

from .bench_station import HEARTBEAT, evse_provision
from .credentials import make

PROGRAM = Path(__file__).with_name("bench_station.py")
GOOD = '[csms]\nurl = "ws://csms.example.com/ocpp"\nidentity = "CP001"\nbasic_auth_password = "correct-horse"\n'

Output = pytest.CaptureFixture[str]


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(GOOD)
    return path


def local(state_dir: Path) -> tuple[str, ...]:
    return ("--local", "--state-dir", str(state_dir))


def test_apply_sets_everything_before_the_agents_first_start(state_dir: Path, site: Path, capsys: Output) -> None:
    assert evse_provision("apply", site, *local(state_dir)) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "csms.url: ws://factory.example.com (factory) -> ws://csms.example.com/ocpp",
        "csms.identity: FACTORY (factory) -> CP001",
        "csms.basic_auth_password: not set -> set",
        "The station dials ws://csms.example.com/ocpp/CP001",
        "The agent will use this when it starts.",
    ]
    assert err == ""
    assert Settings.load(state_dir).content.csms == Csms(
        "ws://csms.example.com/ocpp", "CP001", basic_auth_password=b"correct-horse"
    )


def test_applying_it_again_writes_nothing(state_dir: Path, site: Path, capsys: Output) -> None:
    evse_provision("apply", site, *local(state_dir))
    capsys.readouterr()
    assert evse_provision("apply", site, *local(state_dir)) == 0
    assert capsys.readouterr().out.endswith("Everything was already set like this.\n")
    assert Settings.load(state_dir).generation == 1


def test_an_invalid_profile_names_each_mistake_and_changes_nothing(state_dir: Path, site: Path, capsys: Output) -> None:
    site.write_text(
        '[csms]\nurl = "https://csms.example.com"\nidentity = "CP001 "\nbasic_auth_password = "a/b#secret"\n'
    )
    assert evse_provision("apply", site, *local(state_dir)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        [str(site), "csms.url"],
        [str(site), "csms.identity"],
        [str(site), "csms.basic_auth_password"],
    ]
    assert all("; " in line for line in lines)
    assert "secret" not in err
    assert not state_dir.exists()


def test_a_dry_run_shows_the_plan_and_changes_nothing(state_dir: Path, site: Path, capsys: Output) -> None:
    assert evse_provision("apply", site, "--dry-run", *local(state_dir)) == 0
    out = capsys.readouterr().out
    assert "csms.url: ws://factory.example.com (factory) -> ws://csms.example.com/ocpp" in out
    assert "nothing was changed" in out
    assert not state_dir.exists()


@pytest.mark.parametrize("first", [True, False])
def test_json_on_either_side_of_the_command(state_dir: Path, site: Path, capsys: Output, first: bool) -> None:
    command = ["apply", str(site), *local(state_dir)]
    assert evse_provision(*(["--json", *command] if first else [*command, "--json"])) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["ok"] is True
    assert result["changes"][0] == {
        "key": "csms.url",
        "old": "ws://factory.example.com (factory)",
        "new": "ws://csms.example.com/ocpp",
    }
    assert result["connection_url"] == "ws://csms.example.com/ocpp/CP001"
    site.write_text("[cmss]")
    assert evse_provision("--json", *command) == 2
    out, err = capsys.readouterr()
    assert json.loads(out) == {"ok": False, "errors": err.splitlines()}


def test_notes_do_not_fail(state_dir: Path, site: Path, capsys: Output) -> None:
    site.write_text('[csms]\nsecurity_profile = 0\nurl = "ws://a"\n')
    assert evse_provision("apply", site, *local(state_dir)) == 0
    assert "note: csms.security_profile: 0 has neither" in capsys.readouterr().err


def test_set_changes_one_setting(state_dir: Path, capsys: Output) -> None:
    assert evse_provision("set", "configuration.HeartbeatInterval", "300", *local(state_dir)) == 0
    assert Settings.load(state_dir).content == Content(variables={HEARTBEAT: "300"})
    assert evse_provision("set", "csms.security_profile", "7", *local(state_dir)) == 2
    assert "from 0 to 3" in capsys.readouterr().err


def test_a_secure_url_is_enough_on_a_fresh_charger(state_dir: Path, capsys: Output) -> None:
    assert evse_provision("set", "csms.url", "wss://csms.example.com", *local(state_dir)) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[:1] == ["csms.url: ws://factory.example.com (factory) -> wss://csms.example.com"]
    assert "lowered" not in err
    assert evse_provision("show", *local(state_dir)) == 0
    assert "csms.security_profile = 2   (follows csms.url)\n" in capsys.readouterr().out
    assert evse_provision("set", "csms.security_profile", "2", *local(state_dir)) == 0
    assert "csms.security_profile: 2 (follows csms.url) -> 2\n" in capsys.readouterr().out


def test_a_setting_is_called_as_it_was_written(state_dir: Path, capsys: Output) -> None:
    for key in ("configuration.HeartbeatInterval", 'variables."EVSE#1".Power'):
        assert evse_provision("set", key, "300", *local(state_dir)) == 0
        assert capsys.readouterr().out.startswith(f"{key}: ")
    assert evse_provision("show", *local(state_dir)) == 0
    out = capsys.readouterr().out
    # and as it can be written, where nobody is there to ask
    assert "variables.OCPPCommCtrlr.HeartbeatInterval = 300\n" in out
    assert 'variables."EVSE#1".Power = 300\n' in out


def test_a_mistake_in_a_setting_is_named_once(state_dir: Path, capsys: Output) -> None:
    assert evse_provision("set", "csms.urll", "ws://a", *local(state_dir)) == 2
    assert capsys.readouterr().err == "csms.urll: is not a known key; did you mean csms.url?\n"
    assert evse_provision("set", "csms.url", "http://a", *local(state_dir)) == 2
    assert capsys.readouterr().err.startswith("csms.url: has the scheme http://")


def test_a_secret_can_come_from_standard_input(
    state_dir: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("correct-horse\r\n"))
    assert evse_provision("set", "csms.basic_auth_password", "-", *local(state_dir)) == 0
    assert Settings.load(state_dir).content.csms.basic_auth_password == b"correct-horse"
    assert "horse" not in "".join(capsys.readouterr())


def test_import_ca_adds_to_the_roots(state_dir: Path, tmp_path: Path, capsys: Output) -> None:
    one, two = make("One", ca=True), make("Two", ca=True)
    for name, text in {"one.pem": one.pem, "two.pem": two.pem, "leaf.pem": make("Leaf").pem, "empty.pem": ""}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "one.der").write_bytes(one.der)
    for name in ("one.pem", "two.pem", "one.pem"):
        assert evse_provision("import-ca", tmp_path / name, *local(state_dir)) == 0
    assert Settings.load(state_dir).content.csms.root_ca == one.pem + two.pem
    for name, words in {
        "leaf.pem": "is not a CA certificate",
        "empty.pem": "holds no certificate",
        "one.der": "openssl x509 -inform der",
        "absent.pem": "No such file",
    }.items():
        assert evse_provision("import-ca", tmp_path / name, *local(state_dir)) == 2
        assert words in capsys.readouterr().err
    assert Settings.load(state_dir).generation == 2


def test_show_tells_what_counts_and_where_it_is_from(state_dir: Path, site: Path, capsys: Output) -> None:
    evse_provision("apply", site, *local(state_dir))
    capsys.readouterr()
    assert evse_provision("show", *local(state_dir)) == 0
    out = capsys.readouterr().out
    assert out.splitlines() == [
        "csms.url = ws://csms.example.com/ocpp",
        "csms.identity = CP001",
        "csms.basic_auth_password = set",
        "csms.security_profile = 1   (follows csms.url)",
        "csms.versions = 1.6   (factory)",
        "The station dials ws://csms.example.com/ocpp/CP001",
    ]
    assert evse_provision("show", "--json", *local(state_dir)) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["settings"]["csms.security_profile"] == "1"
    assert result["provisioned"] == ["csms.basic_auth_password", "csms.identity", "csms.url"]


def test_while_another_holds_the_directory_and_no_agent_answers_it_says_so(
    state_dir: Path, site: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provisioning.cli._LOCK_WAIT_S", 0.05)
    with exclusive(state_dir):
        assert evse_provision("apply", site, *local(state_dir)) == 1
        assert evse_provision("show", *local(state_dir)) == 0
    err = capsys.readouterr().err
    assert f"another evse-provision is at work in {state_dir} (pid {os.getpid()}): try again when it has ended" in err
    assert "Nothing was changed" in err
    assert Settings.load(state_dir).generation == 0


def test_a_tool_that_is_just_writing_is_waited_for_and_what_it_wrote_counts(state_dir: Path, site: Path) -> None:
    site.write_text("[csms]\nsecurity_profile = 2\n")
    secure = Settings.load(state_dir)
    secure.update(csms=Csms(url="wss://csms.example.com"))
    secure.save()
    lock = exclusive(state_dir)

    def finish_writing() -> None:
        secure.update(csms=Csms(url="ws://csms.example.com"))
        secure.save()
        lock.release()

    timer = threading.Timer(0.2, finish_writing)
    timer.start()
    # what is checked is what is there when the lock is held: meanwhile the URL lost its TLS
    assert evse_provision("apply", site, *local(state_dir)) == 2
    timer.join()
    assert Settings.load(state_dir).content.csms.security_profile is None


def test_damaged_settings_are_said_and_replaced(state_dir: Path, site: Path, capsys: Output) -> None:
    evse_provision("apply", site, *local(state_dir))
    (state_dir / "settings.json").write_text("{")
    assert evse_provision("apply", site, *local(state_dir)) == 0
    assert "is damaged" in capsys.readouterr().err
    assert (state_dir / "settings.json.corrupt-1").read_text() == "{"
    assert Settings.load(state_dir).content.csms.identity == "CP001"


def test_a_configuration_that_cannot_be_used_is_named(state_dir: Path, site: Path, capsys: Output) -> None:
    assert evse_provision("apply", site, "--config", "/absent.toml", *local(state_dir)) == 2
    assert "/absent.toml: no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("apply",),
        ("apply", "site.toml"),
        ("apply", "site.toml", "--local", "--no-such-option"),
        ("fly", "--local"),
        ("set", "csms.url", "--local"),
    ],
)
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...], capsys: Output) -> None:
    with pytest.raises(SystemExit) as exit_:
        evse_provision(*arguments)
    assert exit_.value.code == 2
    assert "usage: evse-provision" in capsys.readouterr().err


def test_why_it_must_be_local_is_said(capsys: Output) -> None:
    with pytest.raises(SystemExit):
        evse_provision("show")
    assert "--local is missing: it says that you mean the charger that this runs on" in capsys.readouterr().err


def test_help_shows_where_it_looks(capsys: Output) -> None:
    with pytest.raises(SystemExit):
        evse_provision("show", "--help")
    out = capsys.readouterr().out
    assert "  --config /etc/100%-evse/config.toml\n  --state-dir /var/lib/bench-evse-agent\n" in out


def test_help_names_the_commands(capsys: Output) -> None:
    with pytest.raises(SystemExit) as exit_:
        evse_provision("--help")
    assert exit_.value.code == 0
    out = capsys.readouterr().out
    named = [line.split()[0] for line in out.partition("commands:")[2].splitlines() if line.startswith("    ")]
    assert {"apply", "set", "import-ca", "show"} <= set(named)


def run(*arguments: str | Path, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    # with its output buffered, as a technician has it
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": ""}
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, PROGRAM, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=30,
        env=environment,
    )


def test_the_program_itself(state_dir: Path, site: Path, tmp_path: Path) -> None:
    done = run("apply", site, *local(state_dir))
    assert (done.returncode, done.stderr) == (0, "")
    for bad in (tmp_path, Path("/dev/zero"), tmp_path / "absent"):
        refused = run("apply", bad, *local(state_dir))
        assert refused.returncode == 2
        assert "Traceback" not in refused.stderr
        assert str(bad) in refused.stderr
    (tmp_path / "file").touch()
    failed = run("apply", site, *local(tmp_path / "file"))
    assert failed.returncode == 1
    assert len(failed.stderr.splitlines()) == 1


@pytest.mark.parametrize("options", [(), ("--json",)])
@pytest.mark.parametrize("key", ["csms.url", "csms.urll"])
def test_a_reader_that_has_had_enough_is_no_mishap(state_dir: Path, key: str, options: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = run("set", key, "ws://a", *local(state_dir), *options, stdout=writing)
    finally:
        os.close(writing)
    known = key == "csms.url"
    assert done.returncode == (1 if known or options else 2)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
    assert Settings.load(state_dir).generation == (1 if known else 0)


def test_a_full_disk_at_the_other_end_is_one_line(state_dir: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run("show", *local(state_dir), stdout=full.fileno())
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "the output was lost (No space left on device); see 'evse-provision show --local' for what is set"
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_without_rights_it_says_so(state_dir: Path, site: Path, capsys: Output) -> None:
    evse_provision("apply", site, *local(state_dir))
    capsys.readouterr()
    os.seteuid(65534)
    try:
        codes = [evse_provision(*command, *local(state_dir)) for command in (("show",), ("set", "csms.url", "ws://a"))]
    finally:
        os.seteuid(0)
    assert codes == [1, 1]
    err = capsys.readouterr().err
    assert err.count("ermission denied") == 2


def test_several_tools_at_once_lose_nothing(state_dir: Path, site: Path) -> None:
    site.write_text('[csms]\nidentity = "CP001"\n')
    commands = [
        ("apply", str(site)),
        ("set", "configuration.HeartbeatInterval", "300"),
        ("set", "network.proxy", "http://a:1"),
    ]
    children = [
        subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, PROGRAM, *command, *local(state_dir)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.DEVNULL,
        )
        for command in commands
    ]
    assert [child.wait(30) for child in children] == [0, 0, 0]
    settings = Settings.load(state_dir)
    assert settings.generation == 3
    assert settings.content.csms.identity == "CP001"
    assert settings.content.variables == {HEARTBEAT: "300"}
    assert settings.content.network.proxy == "http://a:1"
