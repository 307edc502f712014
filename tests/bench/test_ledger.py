"""What a billing system accepts and what it complains about."""

from __future__ import annotations

from typing import Any

import pytest

from agent.bench.ledger import Ledger


def at(minute: int) -> str:
    return f"2026-01-01T10:{minute:02}:00.000Z"


class Book:
    """A ledger, fed by one station."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self._messages = 0

    def start(self, transaction_id: int = 1, *, message_id: str = "", **changes: Any) -> None:
        payload = {"connectorId": 1, "idTag": "04AA", "meterStart": 1000, "timestamp": at(0), **changes}
        self._take("StartTransaction", payload, {"transactionId": transaction_id}, message_id)

    def values(self, energy: str, minute: int = 5, *, unit: str = "Wh", message_id: str = "", **changes: Any) -> None:
        sampled = [
            {"value": "16.0", "measurand": "Current.Import", "unit": "A", "phase": "L1"},
            {"value": "7", "measurand": "Energy.Active.Import.Register", "phase": "L1"},
            {"value": energy, "unit": unit},
        ]
        payload = {
            "connectorId": 1,
            "transactionId": 1,
            "meterValue": [{"timestamp": at(minute), "sampledValue": sampled}],
            **changes,
        }
        self._take("MeterValues", payload, {}, message_id)

    def stop(self, meter_stop: int = 3000, minute: int = 30, *, message_id: str = "", **changes: Any) -> None:
        payload = {"transactionId": 1, "meterStop": meter_stop, "timestamp": at(minute), **changes}
        self._take("StopTransaction", payload, {}, message_id)

    def complaint(self) -> str:
        (complaint,) = self.ledger.complaints
        return complaint

    def _take(self, action: str, payload: dict[str, Any], answer: dict[str, Any], message_id: str) -> None:
        self._messages += 1
        self.ledger.take("CP001", message_id or str(self._messages), action, payload, answer)


@pytest.fixture
def book() -> Book:
    return Book()


def test_a_whole_session_is_billed_once(book: Book) -> None:
    book.start()
    book.values("1500.4")
    book.values("2.0", 10, unit="kWh")
    book.stop(reason="EVDisconnected")
    book.ledger.assert_clean()
    transaction = book.ledger.transactions[1]
    assert transaction.energy_wh == book.ledger.energy_wh == 2000
    assert [reading.energy_wh for reading in transaction.readings] == [1000, 1500.4, 2000, 3000]
    assert transaction.stop_reason == "EVDisconnected"


def test_a_retry_under_the_same_message_id_counts_once(book: Book) -> None:
    for _ in range(2):
        book.start(message_id="a")
    for _ in range(2):
        book.values("1500", message_id="b")
    for _ in range(2):
        book.stop(message_id="c")
    book.ledger.assert_clean()
    assert len(book.ledger.transactions[1].readings) == 3


def test_a_start_that_was_given_no_id_has_not_begun(book: Book) -> None:
    payload = {"connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": at(0)}
    book.ledger.take("CP001", "a", "StartTransaction", payload, {"idTagInfo": {"status": "Accepted"}})
    book.ledger.assert_clean()
    book.start(message_id="a")
    book.ledger.assert_clean(running=1)


def test_the_same_start_under_two_ids_is_a_duplicate(book: Book) -> None:
    book.start()
    book.stop()
    book.start(2)
    assert "under two message ids" in book.ledger.complaints[0]


def test_a_second_stop_is_a_duplicate(book: Book) -> None:
    book.start()
    book.stop()
    book.stop()
    assert "stopped under two message ids" in book.complaint()


def test_nothing_may_come_for_a_transaction_that_never_started(book: Book) -> None:
    book.stop()
    assert "StopTransaction for transaction 1, which never started" in book.complaint()


def test_another_stations_transaction_is_not_ones_own(book: Book) -> None:
    book.ledger.take("CP002", "x", "StartTransaction", {
        "connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": at(0),
    }, {"transactionId": 1})  # fmt: skip
    book.values("1500")
    assert "which never started" in book.complaint()


def test_meter_values_come_before_the_stop(book: Book) -> None:
    book.start()
    book.stop()
    book.values("1500")
    assert "meter values after its stop" in book.complaint()


def test_meter_values_belong_to_the_transactions_connector(book: Book) -> None:
    book.start()
    book.values("1500", connectorId=2)
    assert "meter values of connector 2" in book.complaint()


def test_meter_values_outside_of_transactions_are_not_billed(book: Book) -> None:
    payload = {"connectorId": 1, "meterValue": [{"timestamp": at(1), "sampledValue": [{"value": "5"}]}]}
    book.ledger.take("CP001", "a", "MeterValues", payload, {})
    book.ledger.assert_clean()


def test_energy_never_falls(book: Book) -> None:
    book.start()
    book.values("1500")
    book.values("1400", 10)
    assert "energy fell from 1500 to 1400 Wh" in book.complaint()


def test_a_register_may_be_rounded_down_at_the_stop(book: Book) -> None:
    book.start()
    book.values("1500.9")
    book.stop(1500)
    book.ledger.assert_clean()


def test_time_never_goes_back(book: Book) -> None:
    book.start()
    book.values("1500", 10)
    book.stop(minute=9)
    assert f"time went back from {at(10)} to {at(9)}" in book.complaint()


def test_the_stops_own_data_lies_within_the_transaction(book: Book) -> None:
    book.start()
    data = [{"timestamp": at(1), "sampledValue": [{"value": value}]} for value in ("1000", "900")]
    book.stop(transactionData=data)
    assert "900 Wh is less than at its start" in book.complaint()


def test_a_connector_has_one_transaction_at_a_time(book: Book) -> None:
    book.start(1)
    book.start(2, connectorId=2)
    assert book.ledger.complaints == []
    book.start(3, timestamp=at(5))
    assert "the next one starts before it has stopped" in book.complaint()


def test_the_register_does_not_go_back_between_transactions(book: Book) -> None:
    book.start()
    book.stop(3000)
    book.start(2, meterStart=2999, timestamp=at(40))
    assert "the register went back between transactions" in book.complaint()


def test_clean_means_that_as_many_run_as_should(book: Book) -> None:
    book.start()
    book.ledger.assert_clean(running=1)
    with pytest.raises(AssertionError, match="1 transactions are running, not 0"):
        book.ledger.assert_clean()
