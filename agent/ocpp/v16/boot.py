"""BootNotification and Heartbeat (1.6 §4.2, §4.6)."""

from __future__ import annotations

from agent.charging.events import BootAnswered
from agent.charging.types import RegistrationStatus
from agent.ocpp.adapter import Answer, Call, Payload
from agent.ocpp.timestamps import parse_utc_ms


def encode_boot(vendor: str, model: str, serial_number: str, firmware_version: str) -> Call:
    payload: Payload = {"chargePointVendor": vendor, "chargePointModel": model}
    if serial_number:
        payload["chargePointSerialNumber"] = serial_number
    if firmware_version:
        payload["firmwareVersion"] = firmware_version
    return Call("BootNotification", payload)


def boot_answered(payload: Payload) -> Answer:
    status = RegistrationStatus(payload["status"])
    return Answer((BootAnswered(status, int(payload["interval"])),), csms_ms=csms_time(payload))


def csms_time(payload: Payload) -> int | None:
    """None: a time that cannot be read is no reason to refuse the answer around it."""
    try:
        return parse_utc_ms(payload["currentTime"])
    except (KeyError, TypeError, ValueError):
        return None
