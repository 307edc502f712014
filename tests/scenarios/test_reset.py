"""Reset (1.6 §5.14; errata 3.36): what ends first, what comes back, and what becomes of one that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.bench.answers import Delay
from agent.bench.upgrade import Refuse

from .conftest import Install
from .site import CARD, OTHER_CARD, Site, eventually


async def back(site: Site, connection: int = 2) -> None:
    await site.station.wait_connected(connection=connection, timeout_s=15)
    await site.wait_for("BootNotification", where=lambda message: message.connection >= connection)


@pytest.mark.parametrize(("kind", "reason"), [("Soft", "SoftReset"), ("Hard", "HardReset")])
@pytest.mark.evse_agent(evses=2)
async def test_transactions_end_and_are_told_before_the_program_starts_again(
    site: Site, kind: str, reason: str
) -> None:
    pid = site.agent.pid
    starts = [await site.charge(evse=1), await site.charge(OTHER_CARD, evse=2)]
    assert await site.asked("Reset", type=kind) == "Accepted"
    for start in starts:
        stop = await site.wait_for("StopTransaction", transactionId=site.transaction_id(start), reason=reason)
        assert "idTag" not in stop.payload
        assert stop.connection == 1
    await back(site)
    assert site.agent.pid == pid  # executed again in its place
    assert site.agent.running
    for evse in (1, 2):
        await site.hardware(lambda state: state["contactor"] == "open" and state["cable"] == "none", evse)
        await site.shows(evse, "Available", where=lambda message: message.connection == 2)
    site.csms.ledger.assert_clean()
    await site.charge()
    site.csms.ledger.assert_clean(running=1)


async def test_an_idle_station_just_starts_again(site: Site) -> None:
    await site.configure(MeterValueSampleInterval=17)
    assert await site.asked("ChangeAvailability", connectorId=1, type="Inoperative") == "Accepted"
    await site.shows(1, "Unavailable")
    assert await site.asked("Reset", type="Soft") == "Accepted"
    await back(site)
    await site.shows(1, "Unavailable")  # §5.14: it persists
    assert await site.configuration("MeterValueSampleInterval") == {"MeterValueSampleInterval": "17"}
    assert not site.station.calls("StopTransaction")
    assert site.station.ended[0].code == 1001


async def test_what_cannot_be_told_before_is_told_afterwards(site: Site) -> None:
    start = await site.charge()

    async def gone(_payload: object) -> None:
        site.csms.upgrades.append(Refuse(503))
        await site.station.disconnect(abort=True)

    site.csms.on_next("StopTransaction", gone)
    assert await site.asked("Reset", type="Hard") == "Accepted"
    first = await site.wait_for("StopTransaction", reason="HardReset")
    await back(site)
    again = await site.wait_for("StopTransaction", reason="HardReset")
    assert (again.message_id, again.payload) == (first.message_id, first.payload)
    assert again.payload["transactionId"] == site.transaction_id(start)
    site.csms.ledger.assert_clean()


async def test_nobody_starts_while_it_waits_for_the_csms(site: Site) -> None:
    await site.charge()
    site.csms.on_next("StopTransaction", Delay(1.0))
    assert await site.asked("Reset", type="Soft") == "Accepted"
    await site.wait_for("StopTransaction")
    assert await site.asked("RemoteStartTransaction", idTag=CARD, connectorId=1) == "Rejected"
    await site.swipe(OTHER_CARD)
    await back(site)
    assert not site.station.calls("Authorize", idTag=OTHER_CARD)


class TestRebootCommand:
    """`[system] reboot_command`, for a reset that must reboot the controller."""

    @staticmethod
    def command(witness: Path, status: int) -> dict[str, object]:
        return {"reboot_command": ["sh", "-c", f"echo tried >> {witness}; exit {status}"]}

    async def test_a_hard_reset_runs_it_and_waits_for_the_end(self, install: Install, tmp_path: Path) -> None:
        witness = tmp_path / "witness"
        site = await install(system=self.command(witness, 0))
        await site.agent.wait_registered()
        assert await site.asked("Reset", type="Hard") == "Accepted"
        await site.station.wait_disconnected()
        await eventually(witness.exists)
        assert site.agent.running
        await site.agent.stop()  # as the system does when it goes down
        assert witness.read_text() == "tried\n"

    async def test_a_soft_reset_only_starts_the_program_again(self, install: Install, tmp_path: Path) -> None:
        witness = tmp_path / "witness"
        site = await install(system=self.command(witness, 0))
        await site.agent.wait_registered()
        assert await site.asked("Reset", type="Soft") == "Accepted"
        await back(site)
        assert not witness.exists()

    async def test_one_that_fails_is_tried_again_and_then_shown(self, install: Install, tmp_path: Path) -> None:
        witness = tmp_path / "witness"
        site = await install(system=self.command(witness, 1), keys={"ResetRetries": 2})
        await site.agent.wait_registered()
        assert await site.asked("Reset", type="Hard") == "Accepted"
        await back(site)
        assert witness.read_text() == "tried\n" * 3  # §9.1.22
        await site.shows(0, "Available", errorCode="ResetFailure")
        await site.charge()  # a warning: charging is possible (§4.9)
        assert await site.asked("Reset", type="Soft") == "Accepted"
        await back(site, connection=3)
        await site.shows(0, "Available", errorCode="NoError")
