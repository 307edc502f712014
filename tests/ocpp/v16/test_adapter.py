"""The adapter as a whole: what it handles, and that nothing it makes breaks the schema of its message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.charging import variables as v
from agent.charging.meter_values import MEASURANDS, MeterReading, Offer, sample
from agent.charging.reports import (
    AuthorizeRequest,
    BootRequest,
    ConnectorReport,
    ConnectorView,
    HeartbeatRequest,
    MeterValuesReport,
    SecurityEvent,
    TransactionEvent,
    TransactionEventType,
    UnlockAnswer,
)
from agent.charging.types import (
    ChargingState,
    ConnectorStatus,
    Fault,
    IdToken,
    IdTokenType,
    ReadingContext,
    Session,
    StopReason,
    TriggerReason,
    UnlockStatus,
)
from agent.ocpp.schema import actions
from agent.ocpp.v16.adapter import StationIdentity
from agent.ocpp.versions import V16
from hal.faults import FaultCode

from ...charging.harness import fixed_cable, socket
from .rig import AT_MS, REF, Rig, two_sockets

CORE = {
    "ChangeAvailability",
    "ChangeConfiguration",
    "ClearCache",
    "DataTransfer",
    "GetConfiguration",
    "RemoteStartTransaction",
    "RemoteStopTransaction",
    "Reset",
    "UnlockConnector",
}


def test_is_of_1_6() -> None:
    assert Rig().adapter.version is V16


class TestFeatureProfiles:
    """§3.3, errata 3.2, 3.3"""

    def test_all_of_them(self) -> None:
        supported = Rig().adapter.supported
        assert supported == CORE | {"TriggerMessage"}
        assert supported <= actions("v16")

    def test_core_alone(self) -> None:
        assert Rig(settings={v.SUPPORTED_FEATURE_PROFILES: "Core"}).adapter.supported == CORE

    def test_what_is_left_out_is_gone_from_its_key_as_well(self) -> None:
        rig = Rig(settings={v.SUPPORTED_FEATURE_PROFILES: "Core"})
        assert rig.ask("GetConfiguration", key=["SupportedFeatureProfiles"]) == {
            "configurationKey": [{"key": "SupportedFeatureProfiles", "readonly": True, "value": "Core"}]
        }


class TestConfiguration:
    def test_all_keys(self) -> None:
        answer = Rig().ask("GetConfiguration")
        assert answer is not None
        assert answer.keys() == {"configurationKey"}
        assert len(answer["configurationKey"]) > 40

    def test_known_and_unknown_keys(self) -> None:
        """§5.8"""
        answer = Rig().ask("GetConfiguration", key=["NumberOfConnectors", "Colour"])
        assert answer == {
            "configurationKey": [{"key": "NumberOfConnectors", "readonly": True, "value": "1"}],
            "unknownKey": ["Colour"],
        }

    @pytest.mark.parametrize(
        ("key", "value", "status"),
        [
            ("HeartbeatInterval", "60", "Accepted"),
            ("HeartbeatInterval", "often", "Rejected"),
            ("NumberOfConnectors", "2", "Rejected"),
            ("Colour", "green", "NotSupported"),
        ],
    )
    def test_a_change(self, key: str, value: str, status: str) -> None:
        """§5.3"""
        rig = Rig()
        assert rig.status("ChangeConfiguration", key=key, value=value) == status
        assert (rig.model.get(v.HEARTBEAT_INTERVAL) == "60") == (status == "Accepted")


@pytest.mark.parametrize(("enabled", "status"), [(True, "Accepted"), (False, "Rejected")])
def test_clear_cache_where_there_is_one(enabled: bool, status: str) -> None:
    """§5.4, errata 3.23"""
    assert Rig(settings={v.AUTH_CACHE_ENABLED: enabled}).status("ClearCache") == status


@pytest.mark.parametrize("fields", [{}, {"messageId": "m", "data": "d"}])
def test_data_transfer_of_any_vendor_is_unknown(fields: dict[str, str]) -> None:
    """§4.3: and without data"""
    assert Rig().ask("DataTransfer", vendorId="com.example", **fields) == {"status": "UnknownVendorId"}


@pytest.mark.parametrize("report", [UnlockAnswer(REF, UnlockStatus.UNLOCKED), SecurityEvent("Tamper", AT_MS)])
def test_what_is_no_message_of_16_is_not_told(report: UnlockAnswer | SecurityEvent) -> None:
    rig = Rig()
    assert rig.tell(report) is None
    assert rig.adapter.unsaid(report) == ()
    assert rig.adapter.failed(report) == ()


# --- whatever the core may report -------------------------------------------------------------------------------------

SPECS = (two_sockets(1), socket(2), fixed_cable(3))
ADDRESSES = ((1, 1), (1, 2), (2, 1), (3, 1))
RIG = Rig(*SPECS, identity=StationIdentity("V" * 20, "M" * 20, "S" * 25, "F" * 50))
RIG.ids.csms_ids.update({"zero": "0", "negative": "-5", "large": str(2**63 - 1)})

texts = st.text(max_size=300)
moments = st.integers(0, 253_402_300_799_999)
tokens = st.builds(IdToken, st.text(max_size=40), st.sampled_from(IdTokenType))
energies = st.floats(0, 1e12)
numbers = st.none() | st.floats(-1e9, 1e9)
phases = st.lists(st.floats(-1e6, 1e6), max_size=3).map(tuple)
transaction_ids = st.sampled_from(["zero", "negative", "large", "unknown"])

readings = st.builds(
    MeterReading,
    moments,
    energies,
    energy_export_wh=st.none() | energies,
    power_import_w=numbers,
    power_export_w=numbers,
    power_phase_w=phases,
    current_a=phases,
    voltage_v=phases,
    frequency_hz=numbers,
    power_factor=numbers,
    reactive_power_import_var=numbers,
    reactive_power_export_var=numbers,
    reactive_energy_import_varh=st.none() | energies,
    reactive_energy_export_varh=st.none() | energies,
    soc_percent=numbers,
    temperature_celsius=numbers,
)
ITEMS = sorted(v.measurand_items(MEASURANDS))
meter_values = st.builds(
    sample,
    readings,
    st.lists(st.sampled_from(ITEMS), unique=True, max_size=8),
    st.sampled_from(ReadingContext),
    at_ms=moments,
    offer=st.builds(Offer, st.floats(0, 80), st.floats(0, 55_200)),
    interval_start_wh=st.none() | energies,
).filter(lambda value: value is not None)
several = st.lists(meter_values, max_size=3).map(tuple)


def at_a_connector(build: Callable[..., Any]) -> Callable[..., Any]:
    return lambda address, **fields: build(evse_id=address[0], connector_id=address[1], **fields)


transaction_events = st.builds(
    at_a_connector(TransactionEvent),
    st.sampled_from(ADDRESSES),
    kind=st.sampled_from(TransactionEventType),
    transaction_id=transaction_ids,
    seq_no=st.integers(0, 10**6),
    at_ms=moments,
    trigger=st.sampled_from(TriggerReason),
    charging_state=st.none() | st.sampled_from(ChargingState),
    register_wh=energies,
    id_token=st.none() | tokens,
    stop_reason=st.none() | st.sampled_from(StopReason),
    values=several,
    data=several,
    offline=st.booleans(),
    authorized=st.booleans(),
)
meter_values_reports = st.builds(
    at_a_connector(MeterValuesReport),
    st.sampled_from(ADDRESSES),
    values=st.lists(meter_values, min_size=1, max_size=3).map(tuple),
    transaction_id=st.none() | transaction_ids,
    triggered=st.booleans(),
)
views = st.builds(
    at_a_connector(ConnectorView),
    st.sampled_from([(0, 0), *ADDRESSES]),
    status=st.sampled_from(ConnectorStatus),
    session=st.sampled_from(Session),
    charging_state=st.none() | st.sampled_from(ChargingState),
    fault=st.none() | st.builds(Fault, st.sampled_from(FaultCode), texts, texts, st.booleans()),
    info=texts,
)
reports = st.one_of(
    transaction_events,
    meter_values_reports,
    st.builds(ConnectorReport, views, moments, st.booleans()),
    st.builds(AuthorizeRequest, st.just("1"), tokens),
    st.builds(BootRequest, st.booleans()),
    st.builds(HeartbeatRequest, st.booleans()),
)


@given(reports)
@settings(max_examples=300, deadline=None)
def test_every_report_makes_a_valid_message_or_none(report: Any) -> None:
    call = RIG.tell(report)  # which asserts it
    if isinstance(report, TransactionEvent):
        assert RIG.adapter.carries(report) == (call is not None)
    if call is None:
        assert isinstance(report, TransactionEvent | ConnectorReport | AuthorizeRequest)


# --- whatever a CSMS may ask for, whatever a driver does --------------------------------------------------------------

Step = Callable[[Rig], object]
connector_ids = st.integers(-2, 6)
evse_ids = st.sampled_from([1, 2, 3])
id_tags = st.sampled_from(["ANNA", "BERT"])
TRIGGERS = ("BootNotification", "FirmwareStatusNotification", "Heartbeat", "MeterValues", "StatusNotification")


def asking(
    action: str, optional: dict[str, st.SearchStrategy[Any]] | None = None, **fields: st.SearchStrategy[Any]
) -> st.SearchStrategy[Step]:
    payloads = st.fixed_dictionaries(fields, optional=optional or {})
    return payloads.map(lambda payload: lambda rig: rig.ask(action, **payload))


def arrive(rig: Rig, evse_id: int, connector_id: int) -> None:
    rig.plug_in(evse_id, connector_id=connector_id)
    rig.card(evse_id=evse_id)


def flicker(rig: Rig, evse_id: int) -> None:
    rig.raise_fault(evse_id=evse_id)
    rig.clear_fault(evse_id=evse_id)


where = {"connectorId": connector_ids}
asked: st.SearchStrategy[Step] = st.one_of(
    asking("ChangeAvailability", connectorId=connector_ids, type=st.sampled_from(["Operative", "Inoperative"])),
    asking("RemoteStartTransaction", where, idTag=id_tags),
    asking("RemoteStopTransaction", transactionId=st.integers(-1, 3)),
    asking("UnlockConnector", connectorId=connector_ids),
    asking("ClearCache"),
    asking("TriggerMessage", where, requestedMessage=st.sampled_from(TRIGGERS)),
)
happening: st.SearchStrategy[Step] = st.one_of(
    st.sampled_from(ADDRESSES).map(lambda at: lambda rig: arrive(rig, *at)),
    st.tuples(id_tags, st.none() | evse_ids).map(lambda shown: lambda rig: rig.card(*shown)),
    st.sampled_from(ADDRESSES).map(lambda at: lambda rig: rig.plug_in(at[0], connector_id=at[1])),
    evse_ids.map(lambda evse_id: lambda rig: rig.unplug_car(evse_id)),
    evse_ids.map(lambda evse_id: lambda rig: flicker(rig, evse_id)),
    st.sampled_from([1.0, 70.0, 1000.0]).map(lambda seconds: lambda rig: rig.advance(seconds)),
)


@given(st.lists(asked | happening, min_size=5, max_size=25), st.sampled_from(["Hard", "Soft"]))
@settings(max_examples=60, deadline=None)
def test_every_answer_and_every_message_of_a_stations_life_is_valid(story: list[Step], end: str) -> None:
    rig = Rig(*SPECS)
    told = 0
    steps: list[Step] = [*story, lambda rig: rig.ask("Reset", type=end)]
    for step in steps:
        step(rig)
        new, told = rig.log[told:], len(rig.log)
        for output in new:
            if isinstance(output, UnlockAnswer):
                assert rig.adapter.complete(output) is not None
            elif isinstance(output, TransactionEvent | MeterValuesReport | ConnectorReport | AuthorizeRequest):
                rig.take([output])
            if isinstance(output, TransactionEvent) and output.kind is TransactionEventType.STARTED:
                rig.ids.csms_ids[output.transaction_id] = str(len(rig.ids.csms_ids))
    stopped = {report.transaction_id for report in rig.ended}
    assert stopped == {report.transaction_id for report in rig.started}
