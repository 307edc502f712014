"""The demo's printed timeline: when, which side, what, and what it means in plain words."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

from agent.bench.answers import Payload
from agent.bench.messages import Kind, Message

_LATE_MS = 1000

_STATUS_MEANING = {
    "Available": "free",
    "Preparing": "a driver is here, no energy yet",
    "Charging": "the contactor is closed and the car draws energy",
    "SuspendedEV": "the car takes a break",
    "SuspendedEVSE": "the station offers no energy for now",
    "Finishing": "the session is over, the cable is still plugged in",
    "Unavailable": "out of service",
    "Faulted": "something is broken",
}


class Side(StrEnum):
    """Who does something."""

    DRIVER = "driver"
    STATION = "station"
    CSMS = "CSMS"
    NETWORK = "network"


_COLOURS = {Side.DRIVER: "33", Side.STATION: "36", Side.CSMS: "35", Side.NETWORK: "31"}  # of ANSI terminals


class Timeline:
    """Writes one line for each thing that happens; `message` takes what the CSMS sees and sends.

    Coloured on a terminal, unless $NO_COLOR is set (no-color.org).
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._coloured = out.isatty() and not os.environ.get("NO_COLOR")
        self._seen: set[str] = set()

    def text(self, text: str = "") -> None:
        """A line of its own."""
        self._out.write(f"{text}\n")
        self._out.flush()

    def line(self, side: Side, what: str, meaning: str, utc_ms: int | None = None) -> None:
        """Something happened, now unless `utc_ms` says when."""
        stamp = clock(time.time_ns() // 1_000_000 if utc_ms is None else utc_ms)
        name = f"{side.value:7}"
        if self._coloured:
            name = f"\x1b[{_COLOURS[side]}m{name}\x1b[0m"
        self.text(f"{stamp}  {name}  {what:24}  {meaning}")

    def message(self, message: Message) -> None:
        """A message, unless it is an answer that says nothing."""
        side = Side.CSMS if message.sent else Side.STATION
        if message.kind is Kind.CALL:
            self.line(side, message.action, self._call_meaning(message), message.utc_ms)
        elif message.kind is Kind.RESULT and (answer := _answer(message)):
            self.line(side, *answer, message.utc_ms)
        elif message.kind in (Kind.ERROR, Kind.UNREADABLE):
            self.line(side, message.kind.name, f"{message.action} {message.payload}", message.utc_ms)

    def _call_meaning(self, message: Message) -> str:
        meaning = _meaning(message.action, message.payload)
        if message.message_id in self._seen:
            return f"{meaning} - the same again, in case it was lost; counted once"
        self._seen.add(message.message_id)
        taken_ms = taken_at_ms(message)
        if taken_ms is None or message.utc_ms - taken_ms < _LATE_MS:
            return meaning
        return f"{meaning} - from {clock(taken_ms)}, kept for {(message.utc_ms - taken_ms) / 1000:.1f} s"


def clock(utc_ms: int) -> str:
    """The time of day, UTC."""
    return datetime.fromtimestamp(utc_ms / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]


def taken_at_ms(message: Message) -> int | None:
    """When what a message reports happened, by its own timestamp; UTC, ms. None if it carries none."""
    payload = message.payload
    values = payload.get("meterValue")
    stamp = payload.get("timestamp") or (values[0]["timestamp"] if values else None)
    return None if stamp is None else round(datetime.fromisoformat(stamp).timestamp() * 1000)


def _meaning(action: str, payload: Payload) -> str:
    return _MEANINGS[action](payload) if action in _MEANINGS else ""


def _status_meaning(payload: Payload) -> str:
    connector_id, status = payload["connectorId"], payload["status"]
    if connector_id == 0:
        return f"the station is {status}"
    return f"connector {connector_id} is {status}: {_STATUS_MEANING.get(status, '')}"


def _sample(sampled: Payload) -> str:
    name = sampled.get("measurand", "Energy.Active.Import.Register")
    words = {"Energy.Active.Import.Register": "the meter shows", "Power.Active.Import": "drawing"}
    return f"{words.get(name, name)} {int(float(sampled['value']))} {sampled.get('unit', 'Wh')}"


def _answer(message: Message) -> tuple[str, str] | None:
    """What is answered and what it means; None for answers that only confirm receipt."""
    payload = message.payload
    match message.action:
        case "BootNotification":
            return payload["status"], f"registered; the clock is set, a heartbeat is due every {payload['interval']} s"
        case "Authorize":
            status = payload["idTagInfo"]["status"]
            return status, "the card may charge" if status == "Accepted" else "the card may not charge"
        case "StartTransaction":
            return payload["idTagInfo"]["status"], f"this is transaction {payload['transactionId']}"
        case "RemoteStopTransaction":
            return payload["status"], "the station will"
    return None


_MEANINGS: dict[str, Callable[[Payload], str]] = {
    "BootNotification": lambda p: f"{p['chargePointVendor']} {p['chargePointModel']} is up and asks to be registered",
    "StatusNotification": _status_meaning,
    "Authorize": lambda p: f"may the card {p['idTag']} charge?",
    "StartTransaction": lambda p: (
        f"charging begins at connector {p['connectorId']}, the meter shows {p['meterStart']} Wh"
    ),
    "MeterValues": lambda p: ", ".join(
        _sample(sampled) for sampled in p["meterValue"][0]["sampledValue"] if "phase" not in sampled
    ),
    "StopTransaction": lambda p: f"charging has ended ({p.get('reason')}), the meter shows {p['meterStop']} Wh",
    "Heartbeat": lambda _: "still here",
    "RemoteStopTransaction": lambda p: f"the operator ends transaction {p['transactionId']}",
}
