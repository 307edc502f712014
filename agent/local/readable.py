"""`evse-agent status` for people."""

from __future__ import annotations

from typing import Any


def readable(answer: dict[str, Any]) -> str:
    """The running agent's state, most important first."""
    link, queue = answer["link"], answer["queue"]
    lines = [f"{answer['identity']}  {answer['time']} (clock: {answer['clock']})"]
    lines.append(f"link          {_link(link)}")
    lines.append(f"registration  {_registration(answer)}")
    lines.append(f"station       {_condition(answer['station'])}")
    for evse in answer["evses"]:
        for connector in evse["connectors"]:
            name = f"EVSE {evse['id']}" if len(evse["connectors"]) == 1 else f"EVSE {evse['id']}.{connector['id']}"
            state = connector["charging_state"] or connector["session"]
            lines.append(f"{name:13} {_condition(connector, state)}")
    for transaction in answer["transactions"]:
        number = f"CSMS id {transaction['csms_id']}" if transaction["csms_id"] else "not yet known to the CSMS"
        lines.append(
            f"transaction   EVSE {transaction['evse']}: {transaction['energy_wh']:.0f} Wh since "
            f"{transaction['started']} ({number})"
        )
    text = f"{queue['rows']} reports waiting" if queue["rows"] else "empty"
    if queue["parked"]:
        text += f", {queue['parked']} refused by the CSMS and set aside"
    if not queue["durable"]:
        text += ", NOT DURABLE: the disk takes nothing"
    lines.append(f"queue         {text}")
    for certificate in answer.get("certificates", ()):
        lines.append(f"certificate   {certificate['use']}: {certificate['subject']}, expires {certificate['expires']}")
    if link["phase"] != "open" and link["last_diagnosis"]:
        lines += ["", *advice(link["last_diagnosis"])]
    return "\n".join(lines)


def _registration(answer: dict[str, Any]) -> str:
    status = answer["registration"]
    if status is None:
        return "not registered yet"
    if status == "Accepted":
        return "Accepted" if answer["link"]["phase"] == "open" else "Accepted when last connected"
    again = answer["registration_again_in_s"]
    when = f"; asks again in {again:.0f} s" if again is not None else ""
    return f"{status} by the CSMS{when}. Ask the CSMS operator to accept {answer['identity']}"


def _condition(connector: dict[str, Any], state: str = "") -> str:
    text = f"{connector['status']} ({state})" if state and state != connector["status"] else str(connector["status"])
    if connector["fault"]:
        fault = connector["fault"]
        text += f"  FAULT {fault['code']} {fault['vendor_code']} {fault['info']}".rstrip()
    return f"{text}  {connector['info']}".rstrip()


def _link(link: dict[str, Any]) -> str:
    if link["phase"] == "open":
        return f"connected to {link['url']} since {link['connected_since']}, heard {link['heard_s_ago']} s ago"
    if not link["url"]:
        return "no CSMS is configured: set csms.url with evse-provision"
    text = f"not connected to {link['url']}"
    if link["next_attempt_in_s"] is not None:
        return f"{text}, next attempt in {link['next_attempt_in_s']:.0f} s"
    return f"{text}, {link['phase']}"


def advice(diagnosis: dict[str, Any]) -> list[str]:
    """A diagnosis, as a technician reads it."""
    lines = [f"{diagnosis['code']} at {diagnosis['at']}: {diagnosis['seen']}"]
    lines += [f"  likely cause: {cause}" for cause in diagnosis["causes"]]
    lines += [f"  {number}. {step}" for number, step in enumerate(diagnosis["next_steps"], start=1)]
    if diagnosis["ask_operator"]:
        lines.append(f"  ask the CSMS operator: {diagnosis['ask_operator']}")
    return lines
