"""What the core wants done: orders to the hardware and to the process, and durable writes.

`Station.drain()` yields effects, writes and reports in one list, in the order in which they must take effect: whoever
carries them out makes each write durable before the effects and reports behind it. An order that only makes things
safer (`OpenContactor`, an offer of 0 A) need not wait.
"""

from __future__ import annotations

from enum import StrEnum

from agent.charging.meter_values import MeterValue
from agent.charging.reports import ConnectorView
from agent.charging.types import IdToken, IdTokenInfo
from agent.charging.value import Value


class CloseContactor(Value):
    evse_id: int


class OpenContactor(Value):
    evse_id: int


class OfferCurrent(Value):
    """What the control pilot offers the car, A per phase; 0: not ready to supply."""

    evse_id: int
    current_a: float


class LockConnector(Value):
    evse_id: int
    connector_id: int


class UnlockConnector(Value):
    """`ref`: answered by an `UnlockFinished` event that carries it; None: nobody waits for the outcome."""

    evse_id: int
    connector_id: int
    ref: str | None = None


class SelfCheck(Value):
    """Test what can be tested before a session; failures come back as faults, the end as `SelfChecked`."""

    evse_id: int


class ReadPurpose(StrEnum):
    BEGIN = "begin"
    END = "end"
    PERIODIC = "periodic"
    ALIGNED = "aligned"
    WATCH = "watch"  # keeps the last known register young, and finds a dead meter
    TRIGGER = "trigger"


class ReadMeter(Value):
    """Answered by a `MeterRead` event with the same purpose and `due_ms`, whatever becomes of the reading."""

    evse_id: int
    purpose: ReadPurpose
    due_ms: int


class Show(Value):
    """What the indicator and the display of a connector (or of the station: evse 0) should tell the driver."""

    view: ConnectorView


class SignalRejection(Value):
    """A card was refused: blink, `BlinkRepeat` times."""

    evse_id: int | None


class Restart(Value):
    """Every transaction has ended: restart the program (or the controller)."""

    immediate: bool


class SaveTransaction(Value):
    """The running transaction's state that must survive a power cut."""

    record: TransactionRecord


class SaveTransactionData(Value):
    """One more meter value for the transaction's end report."""

    transaction_id: str
    value: MeterValue


class ForgetTransaction(Value):
    """The transaction's end has been reported."""

    transaction_id: str


class SaveAvailability(Value):
    """evse 0: the station; connector 0: the whole EVSE."""

    evse_id: int
    connector_id: int
    operative: bool


class SaveCacheEntry(Value):
    id_token: IdToken
    info: IdTokenInfo
    used_ms: int


class ForgetCacheEntries(Value):
    """These entries of the authorization cache, or all."""

    values: tuple[str, ...] | None = None


class SaveRegistration(Value):
    """A CSMS has accepted this station for the first time since its connection settings changed."""


class TransactionRecord(Value):
    """What a power cut must not take: enough to end the transaction truthfully."""

    transaction_id: str
    evse_id: int
    connector_id: int
    id_token: IdToken | None
    group: IdToken | None
    remote_start_id: int | None
    started_ms: int
    start_wh: float
    last_wh: float
    last_ms: int
    seq_no: int


Effect = (
    CloseContactor
    | OpenContactor
    | OfferCurrent
    | LockConnector
    | UnlockConnector
    | SelfCheck
    | ReadMeter
    | Show
    | SignalRejection
    | Restart
)
Write = (
    SaveTransaction
    | SaveTransactionData
    | ForgetTransaction
    | SaveAvailability
    | SaveCacheEntry
    | ForgetCacheEntries
    | SaveRegistration
)
