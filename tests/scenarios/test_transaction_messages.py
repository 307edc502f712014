"""What a CSMS that fails to process transaction messages gets to see (1.6 §3.7.1, §9.1.31, §9.1.32; errata 3.18)."""

from __future__ import annotations

import pytest

from agent.bench.answers import CallError, Silence
from agent.bench.csms import BenchCsms

from .site import CARD, OTHER_CARD, Site, apart

BROKEN = CallError("InternalError", "database is down")
attempts = {"TransactionMessageAttempts": 3, "TransactionMessageRetryInterval": 1, "MessageTimeout": 1}


@pytest.mark.evse_agent(keys=attempts)
async def test_a_start_is_sent_again_ever_later_and_given_up_at_last(site: Site) -> None:
    site.csms.on("StartTransaction", BROKEN)
    await site.plug_in()
    await site.swipe()
    tries = [await site.wait_for("StartTransaction", idTag=CARD) for _ in range(3)]
    assert apart(tries[0], tries[1], 1)
    assert apart(tries[1], tries[2], 2)  # the interval times the transmissions before
    assert len({message.message_id for message in tries}) == 1
    await site.shows(1, "Charging")
    status = await site.agent.wait_for_status(lambda status: status["queue"]["parked"] == 1)
    assert status["queue"]["rows"] == 0
    site.csms.on("StartTransaction", None)
    await site.configure(MeterValueSampleInterval=1)
    await site.wait_for("MeterValues", transactionId=-1)
    await site.swipe()
    await site.wait_for("StopTransaction", transactionId=-1, reason="Local")
    await site.shows(1, "Finishing")
    await site.swipe(OTHER_CARD)
    await site.wait_for("StartTransaction", idTag=OTHER_CARD)  # the next driver is not held up
    assert [each.payload for each in site.station.calls("StartTransaction", idTag=CARD)] == [tries[0].payload] * 3


@pytest.mark.evse_agent(keys=attempts)
@pytest.mark.parametrize(
    "failure", [Silence(processed=True), BROKEN, {"transactionId": "many"}], ids=["no answer", "error", "nonsense"]
)
async def test_one_failure_costs_nothing(site: Site, failure: object) -> None:
    site.csms.on_next("StartTransaction", failure)  # type: ignore[arg-type]  # any of the answers above
    start = await site.charge()
    await site.swipe()
    await site.wait_for("StopTransaction", transactionId=site.transaction_id(start))
    site.csms.ledger.assert_clean()
    assert len(site.station.calls("StartTransaction")) == 2


@pytest.mark.evse_agent(keys={**attempts, "MeterValueSampleInterval": 1})
async def test_statuses_and_cards_do_not_wait_for_it(csms: BenchCsms, site: Site) -> None:
    await site.charge()
    csms.on("MeterValues", BROKEN)
    await site.wait_for("MeterValues", connectorId=1)
    await site.op("pause")
    await site.shows(1, "SuspendedEV", timeout_s=2)
    await site.swipe(OTHER_CARD)
    await site.wait_for("Authorize", idTag=OTHER_CARD, timeout_s=2)


async def test_an_answer_with_a_sloppy_timestamp_or_extras_will_do(csms: BenchCsms, site: Site) -> None:
    csms.on(
        "Authorize",
        {"idTagInfo": {"status": "Accepted", "expiryDate": "2099-01-01 00:00:00", "note": "hello"}},
    )
    await site.plug_in()
    await site.swipe()
    await site.wait_for("StartTransaction", idTag=CARD)


async def test_an_answer_to_nothing_is_not_fatal(site: Site) -> None:
    await site.station.send_raw('[3,"nobody-asked",{}]')
    await site.station.send_raw('[4,"nobody-asked","InternalError","",{}]')
    await site.station.send_raw(b"\x00binary")
    await site.charge()
