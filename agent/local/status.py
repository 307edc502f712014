"""The state of the running agent as `evse-agent status` shows it."""

from __future__ import annotations

from typing import Any

from agent.charging.reports import ConnectorView
from agent.charging.station import Station
from agent.clock import Clock
from agent.csms.connection import LinkStatus
from agent.csms.diagnosis import Diagnosis
from agent.csms.endpoint import csms_endpoint
from agent.csms.traffic import Traffic
from agent.ocpp.timestamps import format_utc_ms
from agent.store.journal import Journal
from provisioning.settings import Csms


def status(
    station: Station, journal: Journal, link: LinkStatus, traffic: Traffic, csms: Csms, clock: Clock
) -> dict[str, Any]:
    """For people and programs; no secrets in it."""
    registration = station.registration.status
    views = station.views()
    return {
        "ok": True,
        "time": format_utc_ms(clock.utc_ms()),
        "clock": clock.source,
        "identity": csms.identity,
        "link": _link(link, csms),
        "registration": registration.value if registration else None,
        "registration_again_in_s": _seconds(station.registration.again_in_s),
        "station": _connector(views[0]),
        "evses": [
            {
                "id": evse_id,
                "connectors": [_connector(view) for view in views if view.evse_id == evse_id],
                "offered_a": evse.offer.current_a,
                "limited_by": evse.limit[0],
                "limit_a": evse.limit[1],
            }
            for evse_id, evse in station.evses.items()
        ],
        "transactions": [
            {
                "id": transaction.transaction_id,
                "csms_id": journal.csms_ids.get(transaction.transaction_id),
                "evse": evse.evse_id,
                "connector": transaction.connector_id,
                "phase": transaction.phase.value,
                "charging_state": transaction.charging_state.value,
                "started": format_utc_ms(transaction.started_ms),
                "energy_wh": round(transaction.energy_wh, 1),
            }
            for evse in station.evses.values()
            if (transaction := evse.transaction) is not None
        ],
        "bytes_today": traffic.today(clock.utc_ms()),
        "queue": {
            "rows": journal.rows,
            "bytes": journal.bytes,
            "parked": journal.parked,
            "thinned": journal.thinned,
            "durable": not journal.degraded,
        },
    }


def _link(link: LinkStatus, csms: Csms) -> dict[str, Any]:
    return {
        "phase": link.phase.value,
        "url": link.url or _address(csms),
        "address": link.address,
        "security_profile": csms.security_profile,
        "subprotocol": link.subprotocol,
        "connected_since": _stamp(link.connected_since_utc_ms),
        "heard_s_ago": _seconds(link.heard_s_ago),
        "latency_s": link.latency_s,
        "bytes_received": link.bytes_received,
        "bytes_sent": link.bytes_sent,
        "attempts": link.attempts,
        "attempts_last_minute": link.attempts_last_minute,
        "next_attempt_in_s": _seconds(link.next_attempt_in_s),
        "ping_interval_s": link.ping_interval_s,
        "server_certificate_expires": _stamp(link.server_chain_expires_utc_ms),
        "last_diagnosis": diagnosis(link.last_diagnosis) if link.last_diagnosis else None,
        "history": [
            {"at": format_utc_ms(each.at_utc_ms), "code": each.code.value, "seen": each.seen} for each in link.history
        ],
    }


def _address(csms: Csms) -> str | None:
    """What would be dialled."""
    if not csms.url or not csms.identity:
        return None
    try:
        return csms_endpoint(csms.url, csms.identity).shown
    except ValueError:
        return csms.url


def diagnosis(what: Diagnosis) -> dict[str, Any]:
    return {
        "code": what.code.value,
        "phase": what.phase.value,
        "at": format_utc_ms(what.at_utc_ms),
        "seen": what.seen,
        "causes": list(what.causes),
        "next_steps": list(what.next_steps),
        "ask_operator": what.ask_operator,
        "retry_after_s": what.retry_after_s,
    }


def _connector(view: ConnectorView) -> dict[str, Any]:
    return {
        "id": view.connector_id,
        "status": view.status.value,
        "session": view.session.value,
        "charging_state": view.charging_state.value if view.charging_state else None,
        "fault": {"code": view.fault.code, "vendor_code": view.fault.vendor_code, "info": view.fault.info}
        if view.fault
        else None,
        "info": view.info,
    }


def _stamp(utc_ms: int | None) -> str | None:
    return format_utc_ms(utc_ms) if utc_ms is not None else None


def _seconds(value: float | None) -> float | None:
    return round(value, 1) if value is not None else None
