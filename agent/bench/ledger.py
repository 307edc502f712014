"""What a billing system makes of the sessions a station reports, and where it would complain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

_ENERGY = "Energy.Active.Import.Register"
_WH_PER_UNIT = {"Wh": 1.0, "kWh": 1000.0}


class Reading(NamedTuple):
    """The energy register, Wh, at an instant (RFC 3339 as it was sent)."""

    timestamp: str
    energy_wh: float


class Transaction:
    """One transaction as it is billed. `stop` None: it is still running."""

    def __init__(self, station: str, transaction_id: int, connector_id: int, id_tag: str, start: Reading) -> None:
        self.station = station
        self.transaction_id = transaction_id
        self.connector_id = connector_id
        self.id_tag = id_tag
        self.start = start
        self.stop: Reading | None = None
        self.stop_reason = ""
        self.readings: list[Reading] = [start]

    @property
    def energy_wh(self) -> float:
        """What is billed so far, Wh."""
        return (self.stop or self.readings[-1]).energy_wh - self.start.energy_wh

    def __repr__(self) -> str:
        end = f"stopped {self.stop_reason or 'Local'}" if self.stop else "running"
        return f"<transaction {self.transaction_id}, {self.station} connector {self.connector_id}, {end}>"


class Ledger:
    """Takes calls that were answered; one that comes again under its message id is a retry and counts once.

    `complaints`: in words, what a billing system would have to sort out by hand.
    """

    def __init__(self) -> None:
        self.transactions: dict[int, Transaction] = {}
        self.complaints: list[str] = []
        self._seen: set[tuple[str, str]] = set()
        self._starts: set[tuple[object, ...]] = set()

    @property
    def running(self) -> list[Transaction]:
        """Transactions that have started and not stopped."""
        return [transaction for transaction in self.transactions.values() if transaction.stop is None]

    @property
    def energy_wh(self) -> float:
        """The energy of all transactions, Wh."""
        return sum(transaction.energy_wh for transaction in self.transactions.values())

    def take(
        self, station: str, message_id: str, action: str, payload: Mapping[str, Any], answer: Mapping[str, Any]
    ) -> None:
        """Enter a call that the CSMS has processed, valid by its schema, with the CSMS's answer."""
        enter = {
            "StartTransaction": self._start,
            "StopTransaction": self._stop,
            "MeterValues": self._meter_values,
        }.get(action)
        if enter is None or (station, message_id) in self._seen:
            return
        if action == "StartTransaction" and not isinstance(answer.get("transactionId"), int):
            return  # a CSMS that has given no id has begun no transaction
        self._seen.add((station, message_id))
        enter(station, payload, answer)

    def assert_clean(self, *, running: int = 0) -> None:
        """Raise AssertionError if there is any complaint, or another number of transactions is running."""
        wrong = list(self.complaints)
        if len(self.running) != running:
            wrong.append(f"{len(self.running)} transactions are running, not {running}: {self.running}")
        if wrong:
            raise AssertionError("the ledger complains:\n" + "\n".join(wrong))

    def _start(self, station: str, payload: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        connector_id = payload["connectorId"]
        start = Reading(payload["timestamp"], float(payload["meterStart"]))
        same = (station, connector_id, payload["idTag"], start)
        if same in self._starts:
            self._complain(f"{station}: the start at {start.timestamp} came under two message ids")
        self._starts.add(same)
        earlier = [
            transaction
            for transaction in self.transactions.values()
            if (transaction.station, transaction.connector_id) == (station, connector_id)
        ]
        for transaction in earlier:
            if transaction.stop is None:
                self._complain(f"{transaction}: the next one starts before it has stopped")
        if earlier and start.energy_wh < earlier[-1].readings[-1].energy_wh:
            self._complain(f"{station} connector {connector_id}: the register went back between transactions")
        transaction_id = answer["transactionId"]
        self.transactions[transaction_id] = Transaction(station, transaction_id, connector_id, payload["idTag"], start)

    def _stop(self, station: str, payload: Mapping[str, Any], _answer: Mapping[str, Any]) -> None:
        transaction = self._transaction(station, payload, "StopTransaction")
        if transaction is None:
            return
        if transaction.stop is not None:
            self._complain(f"{transaction}: stopped under two message ids")
            return
        self._read(transaction, payload.get("transactionData", ()), in_order=False)
        transaction.stop = Reading(payload["timestamp"], float(payload["meterStop"]))
        transaction.stop_reason = payload.get("reason", "")
        self._advance(transaction, transaction.stop)

    def _meter_values(self, station: str, payload: Mapping[str, Any], _answer: Mapping[str, Any]) -> None:
        if "transactionId" not in payload:
            return
        transaction = self._transaction(station, payload, "MeterValues")
        if transaction is None:
            return
        if transaction.stop is not None:
            self._complain(f"{transaction}: meter values after its stop")
            return
        if payload["connectorId"] != transaction.connector_id:
            self._complain(f"{transaction}: meter values of connector {payload['connectorId']}")
        self._read(transaction, payload["meterValue"])

    def _transaction(self, station: str, payload: Mapping[str, Any], action: str) -> Transaction | None:
        transaction = self.transactions.get(payload["transactionId"])
        if transaction is None or transaction.station != station:
            self._complain(f"{station}: {action} for transaction {payload['transactionId']}, which never started")
            return None
        return transaction

    def _read(
        self, transaction: Transaction, meter_values: Sequence[Mapping[str, Any]], *, in_order: bool = True
    ) -> None:
        """`in_order` False: what a stop repeats, which only has to lie between the start and the end."""
        for meter_value in meter_values:
            for sampled in meter_value["sampledValue"]:
                if sampled.get("measurand", _ENERGY) != _ENERGY or "phase" in sampled:
                    continue
                energy_wh = float(sampled["value"]) * _WH_PER_UNIT[sampled.get("unit", "Wh")]
                reading = Reading(meter_value["timestamp"], energy_wh)
                if in_order:
                    self._advance(transaction, reading)
                elif energy_wh < transaction.start.energy_wh:
                    self._complain(f"{transaction}: {energy_wh:g} Wh is less than at its start")

    def _advance(self, transaction: Transaction, reading: Reading) -> None:
        last = transaction.readings[-1]
        # A register is read in fractions and reported whole.
        if reading.energy_wh < last.energy_wh - 1.0:
            self._complain(f"{transaction}: energy fell from {last.energy_wh:g} to {reading.energy_wh:g} Wh")
        if _instant(reading) < _instant(last):
            self._complain(f"{transaction}: time went back from {last.timestamp} to {reading.timestamp}")
        transaction.readings.append(reading)

    def _complain(self, complaint: str) -> None:
        self.complaints.append(complaint)


def _instant(reading: Reading) -> datetime:
    return datetime.fromisoformat(reading.timestamp)
