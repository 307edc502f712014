"""SIGTERM: the agent stops within 5 s with exit 0, and no transaction is left without its end."""

from __future__ import annotations

import time

import pytest

from agent.bench.answers import Silence
from agent.bench.csms import BenchCsms

from .site import CARD, Site


async def test_a_running_session_ends_and_is_told_now_or_at_the_next_start(site: Site) -> None:
    start = await site.charge()
    await site.agent.stop()  # asserts 5 s and exit 0
    await site.agent.start()
    stop = await site.wait_for("StopTransaction", transactionId=site.transaction_id(start))
    assert stop.payload["reason"] == "Reboot"
    await site.agent.wait_registered()
    await site.settled()
    site.csms.ledger.assert_clean()
    assert len(site.station.calls("StopTransaction")) == 1


async def test_a_csms_that_does_not_answer_holds_nothing_up(csms: BenchCsms, site: Site) -> None:
    csms.on("StartTransaction", Silence(processed=True))
    await site.plug_in()
    await site.swipe()
    await site.wait_for("StartTransaction", idTag=CARD)
    began_s = time.monotonic()
    await site.agent.stop()
    assert time.monotonic() - began_s < 5
    csms.on("StartTransaction", None)
    await site.agent.start()
    await site.wait_for("StopTransaction", reason="Reboot")
    csms.ledger.assert_clean()


async def test_without_a_csms(site: Site) -> None:
    start = await site.charge()
    await site.csms.stop()
    await site.agent.stop()
    await site.csms.start()
    await site.agent.start()
    await site.wait_for("StopTransaction", transactionId=site.transaction_id(start), reason="Reboot")
    site.csms.ledger.assert_clean()


@pytest.mark.parametrize("part", ["contactor", "meter", "lock"])
@pytest.mark.evse_agent(evse={"connectors": ["sType2"], "options": {"response_timeout": 60.0}})
async def test_a_device_that_hangs_holds_nothing_up(site: Site, part: str) -> None:
    start = await site.charge()
    await site.op("fail", part=part, mode="timeout")
    await site.agent.stop()
    await site.agent.start()
    await site.wait_for("StopTransaction", transactionId=site.transaction_id(start))
    site.csms.ledger.assert_clean()
