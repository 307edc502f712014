"""What an OCPP version has to offer to the rest of the agent: translation, both ways, and no decision."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, Protocol

from agent.charging.events import Event
from agent.charging.reports import Report, TransactionEvent
from agent.charging.types import Now
from agent.charging.value import Value
from agent.ocpp.versions import OcppVersion

Payload = dict[str, Any]


class Call(Value):
    """A call to the CSMS."""

    action: str
    payload: Payload


class Answer(Value):
    """What an answer of the CSMS means: facts for the core, and what the transport must remember.

    csms_id: what the CSMS calls the transaction, where it says so. csms_ms: its clock, UTC.
    """

    events: tuple[Event, ...] = ()
    csms_id: str | None = None
    csms_ms: int | None = None


class TransactionIds(Protocol):
    """How the CSMS calls our transactions, by our id. The store keeps it."""

    @property
    def csms_ids(self) -> Mapping[str, str]: ...


class Adapter(Protocol):
    """One version of OCPP."""

    version: OcppVersion

    @property
    def supported(self) -> Container[str]:
        """The actions of the CSMS that this station handles at present."""
        ...

    def handle(self, action: str, payload: Payload, ref: str, now: Now) -> Payload | None:
        """Carry out a valid call of the CSMS. None: the answer follows, through a report that carries `ref`.

        Raises CallError.
        """
        ...

    def carries(self, report: TransactionEvent) -> bool:
        """Whether this version has a message for it: what none will ever tell need not wear the flash."""
        ...

    def encode(self, report: Report) -> Call | None:
        """The call that tells the CSMS; None where this version has nothing to say of it, or has said it before."""
        ...

    def unsaid(self, report: Report) -> tuple[Event, ...]:
        """What follows where `encode` gave nothing for a report that somebody waits for."""
        ...

    def answered(self, report: Report, payload: Payload) -> Answer:
        """The CSMS's answer to an encoded report. Raises CallError where it lacks what is needed."""
        ...

    def failed(self, report: Report) -> tuple[Event, ...]:
        """What follows where a report got no usable answer."""
        ...

    def complete(self, report: Report) -> Payload | None:
        """The answer owed to the CSMS that this report settles; None for reports that settle none."""
        ...
