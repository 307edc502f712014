"""The device model: one truth for the station's settings and reported states (OCPP 2.0.1 part 1 §4, B05, B06)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.charging import variables as v
from agent.charging.characteristics import DataType, Mutability, VariableId, VariableSpec, normalise, parse
from agent.charging.device_model import DeviceModel, SetOutcome, SetStatus, Source
from agent.charging.types import ConnectorSpec, EvseSpec

SOCKET = EvseSpec(1, (ConnectorSpec(1, "sType2"),), 32.0, 3)
CABLE = EvseSpec(2, (ConnectorSpec(1, "cType2"), ConnectorSpec(2, "cCCS2")), 16.0, 1)

_name = st.from_regex(r"[A-Za-z0-9*_=:+|@-]{1,20}", fullmatch=True)
_instance = st.none() | st.from_regex(r"[A-Za-z0-9*_=:+|@.-]{1,20}", fullmatch=True)
_number = st.integers(1, 99)
_ids = st.builds(VariableId, _name, _name, _instance, st.none(), st.none(), _instance) | st.builds(
    VariableId, _name, _name, _instance, _number, st.none() | _number, _instance
)


def station_model(*evses: EvseSpec) -> DeviceModel:
    specs = v.station_variables(
        evses or (SOCKET,), vendor="Acme", model="AC22", serial_number="A-1", firmware_version="1"
    )
    return DeviceModel(specs, v.measurand_items(v.MEASURANDS))


@pytest.fixture
def model() -> DeviceModel:
    return station_model()


class TestAddress:
    @given(_ids)
    def test_survives_its_string_form(self, variable: VariableId) -> None:
        assert VariableId.parse(str(variable)) == variable

    def test_is_written_as_in_the_configuration_file(self) -> None:
        assert str(v.MESSAGE_ATTEMPTS) == "OCPPCommCtrlr/MessageAttempts.TransactionEvent"
        assert str(VariableId("Connector", "ConnectorType", evse_id=1, connector_id=2)) == (
            "Connector#1.2/ConnectorType"
        )

    @pytest.mark.parametrize(
        "key", ["", "A", "A/", "/B", "A#0/B", "A#1.x/B", "A/B/C", "A./B", "A/B.", "A B/C", "A/B\n"]
    )
    def test_refuses_any_other_string(self, key: str) -> None:
        with pytest.raises(ValueError, match="Component"):
            VariableId.parse(key)

    def test_names_compare_without_case(self, model: DeviceModel) -> None:
        assert model.find(VariableId("ocppCOMMctrlr", "heartbeatINTERVAL")) == v.HEARTBEAT_INTERVAL
        assert model.find(VariableId("evse", "power", evse_id=1)) == VariableId("EVSE", "Power", evse_id=1)

    def test_a_variable_alone_stands_for_its_default_instance(self, model: DeviceModel) -> None:
        assert model.find(VariableId("OCPPCommCtrlr", "MessageTimeout")) == v.MESSAGE_TIMEOUT
        assert model.find(VariableId("OCPPCommCtrlr", "MessageAttempts")) is None


class TestStandardVariables:
    @pytest.mark.parametrize("evses", [(SOCKET,), (CABLE,), (SOCKET, CABLE)])
    def test_every_default_is_a_value_that_the_variable_takes(self, evses: tuple[EvseSpec, ...]) -> None:
        model = station_model(*evses)
        for spec in model.items():
            if spec.mutability is not Mutability.WRITE_ONLY and spec.id not in (v.DATE_TIME,):
                assert normalise(spec, spec.default, model.supported_measurands) == spec.default
                parse(spec, spec.default)

    def test_addresses_differ_even_without_case(self) -> None:
        folded = [spec.id.folded() for spec in station_model(SOCKET, CABLE).items()]
        assert len(set(folded)) == len(folded)

    def test_transactions_start_and_stop_as_in_ocpp_1_6(self, model: DeviceModel) -> None:
        """OCPP 2.0.1 part 2, E, table 95."""
        assert model.member_list(v.TX_START_POINT) == ("PowerPathClosed",)
        assert model.member_list(v.TX_STOP_POINT) == ("EVConnected", "Authorized")

    def test_power_is_what_current_and_phases_give(self) -> None:
        model = station_model(SOCKET, CABLE)
        assert model.decimal(VariableId("EVSE", "Power", evse_id=1)) == 22_080
        assert model.decimal(VariableId("EVSE", "Power", evse_id=2)) == 3_680

    def test_fixed_cables_are_never_unlocked(self) -> None:
        """OCPP 2.0.1 part 2 §2.1.12; a single socket makes it a setting."""
        fixed, mixed = station_model(CABLE), station_model(SOCKET, CABLE)
        assert fixed.boolean(v.UNLOCK_ON_EV_SIDE_DISCONNECT) is False
        for source in Source:
            assert not fixed.set(v.UNLOCK_ON_EV_SIDE_DISCONNECT, "true", source).accepted
        assert mixed.set(v.UNLOCK_ON_EV_SIDE_DISCONNECT, "false").accepted


class TestAbsentBlocks:
    """A block that is not there is known to be absent: a file may switch it off, nobody can switch it on."""

    @pytest.mark.parametrize("component", ["LocalAuthListCtrlr", "ReservationCtrlr", "SmartChargingCtrlr"])
    @pytest.mark.parametrize("name", ["Available", "Enabled"])
    def test_is_switched_off_and_stays_so(self, model: DeviceModel, component: str, name: str) -> None:
        variable = VariableId(component, name)
        assert model.boolean(variable) is False
        assert model.set_factory(variable, "false").accepted
        refused = model.set_factory(variable, "true")
        assert refused == SetOutcome(SetStatus.REJECTED, "is always 'false' on this station")
        assert not model.set(variable, "true", Source.STATION).accepted
        assert not model.set(variable, "false").accepted  # read-only


class TestValues:
    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            (v.HEARTBEAT_INTERVAL, "0"),
            (v.HEARTBEAT_INTERVAL, "-1"),
            (v.HEARTBEAT_INTERVAL, "060"),
            (v.HEARTBEAT_INTERVAL, "+60"),
            (v.HEARTBEAT_INTERVAL, "60.0"),
            (v.HEARTBEAT_INTERVAL, " 60"),
            (v.HEARTBEAT_INTERVAL, "\u0661"),
            (v.HEARTBEAT_INTERVAL, "2147483648"),
            (v.HEARTBEAT_INTERVAL, "9" * 5000),
            (v.HEARTBEAT_INTERVAL, ""),
            (v.WEB_SOCKET_PING_INTERVAL, "-1"),
            (v.LIGHT_INTENSITY, "101"),
            (v.ALIGNED_INTERVAL, "86401"),
            (v.RETRY_BACK_OFF_WAIT_MINIMUM, "86401"),
            (v.RETRY_BACK_OFF_RANDOM_RANGE, "86401"),
            (v.RETRY_BACK_OFF_REPEAT_TIMES, "21"),
            (v.MESSAGE_ATTEMPTS, "101"),
            (v.MESSAGE_ATTEMPT_INTERVAL, "86401"),
            (v.AUTH_CACHE_ENABLED, "yes"),
            (v.AUTH_CACHE_ENABLED, "1"),
            (v.TX_START_POINT, "Sometimes"),
            (v.TX_START_POINT, ""),
            (v.TX_STOP_POINT, "Authorized,Authorized"),
            (v.SAMPLED_TX_UPDATED_MEASURANDS, "Voltage,,SoC"),
            (v.SAMPLED_TX_UPDATED_MEASURANDS, "Voltage,Tension"),
            (v.SAMPLED_TX_UPDATED_MEASURANDS, "SoC.L1"),
            (v.SAMPLED_TX_UPDATED_MEASURANDS, "Voltage.L4"),
            (v.ORGANIZATION_NAME, "a\nb"),
            (v.ORGANIZATION_NAME, "x" * 65),
        ],
    )
    def test_what_does_not_fit_is_rejected_with_a_reason_and_changes_nothing(
        self, model: DeviceModel, variable: VariableId, value: str
    ) -> None:
        before, revision = model.get(variable), model.revision
        outcome = model.set(variable, value)
        assert outcome.status is SetStatus.REJECTED
        assert outcome.reason
        assert (model.get(variable), model.revision, model.drain_changes()) == (before, revision, [])

    @pytest.mark.parametrize(
        ("variable", "value", "stored"),
        [
            (v.HEARTBEAT_INTERVAL, "2147483647", "2147483647"),
            (v.WEB_SOCKET_PING_INTERVAL, "0", "0"),
            (v.AUTH_CACHE_ENABLED, "FALSE", "false"),
            (v.TX_STOP_POINT, "authorized, evconnected", "Authorized,EVConnected"),
            (v.SAMPLED_TX_UPDATED_MEASURANDS, "Voltage.L1, Current.Import.L3", "Voltage.L1,Current.Import.L3"),
            (v.SAMPLED_TX_UPDATED_MEASURANDS, "", ""),
            (v.SAMPLED_TX_UPDATED_MEASURANDS, "  ", ""),
            (v.ORGANIZATION_NAME, "Strom für alle", "Strom für alle"),
        ],
    )
    def test_what_fits_is_stored_in_standard_spelling(
        self, model: DeviceModel, variable: VariableId, value: str, stored: str
    ) -> None:
        assert model.set(variable, value).status is SetStatus.ACCEPTED
        assert model.get(variable) == stored

    def test_typed_reading_follows_a_change(self, model: DeviceModel) -> None:
        assert model.integer(v.HEARTBEAT_INTERVAL) == 300
        model.set(v.HEARTBEAT_INTERVAL, "10")
        assert model.integer(v.HEARTBEAT_INTERVAL) == 10
        assert model.boolean(v.AUTH_CACHE_ENABLED) is True
        assert model.member_list(v.SAMPLED_TX_ENDED_MEASURANDS) == ()
        assert model.decimal(VariableId("EVSE", "Power", evse_id=1)) == 22_080.0

    @pytest.mark.parametrize("data_type", list(DataType))
    @given(value=st.text(max_size=60))
    def test_any_text_is_refused_or_stored_readably(self, data_type: DataType, value: str) -> None:
        spec = VariableSpec(VariableId("C", "V"), data_type, values=("one", "two") if "List" in data_type else ())
        try:
            normalised = normalise(spec, value)
        except ValueError:
            return
        parse(spec, normalised)
        assert normalise(spec, normalised) == normalised

    def test_a_list_is_bounded_in_items_and_in_characters(self) -> None:
        spec = VariableSpec(VariableId("C", "V"), DataType.MEMBER_LIST, max_items=2, max_limit=10)
        assert normalise(spec, "abcd,efghi") == "abcd,efghi"
        for value in ("a,b,c", "abcde,fghij"):
            with pytest.raises(ValueError, match="at most"):
                normalise(spec, value)

    def test_only_what_the_meters_give_can_be_asked_for(self, model: DeviceModel) -> None:
        """1.6 errata 3.14.4; the caller learns which settings ask for more."""
        model.set(v.ALIGNED_MEASURANDS, "SoC")
        asking = model.support_measurands(v.measurand_items(("Energy.Active.Import.Register", "Voltage"), phases=1))
        assert asking == [v.ALIGNED_MEASURANDS]
        assert model.set(v.SAMPLED_TX_UPDATED_MEASURANDS, "Voltage.L1-N").accepted
        assert not model.set(v.SAMPLED_TX_UPDATED_MEASURANDS, "Voltage.L2").accepted
        assert not model.set(v.SAMPLED_TX_UPDATED_MEASURANDS, "Current.Import").accepted
        assert not model.set(v.SAMPLED_TX_UPDATED_MEASURANDS, "Current.Import.L1").accepted


class TestWhoMayWrite:
    def test_an_unknown_address_is_told_apart(self, model: DeviceModel) -> None:
        assert model.set(VariableId("NoCtrlr", "Enabled"), "true").status is SetStatus.UNKNOWN_COMPONENT
        assert model.set(VariableId("AuthCtrlr", "Nothing"), "true").status is SetStatus.UNKNOWN_VARIABLE
        assert model.set(VariableId("EVSE", "Power", evse_id=9), "1").status is SetStatus.UNKNOWN_COMPONENT

    def test_the_csms_cannot_write_what_is_read_only(self, model: DeviceModel) -> None:
        assert model.set(v.MESSAGE_TIMEOUT, "20").status is SetStatus.REJECTED
        assert model.set(v.MESSAGE_TIMEOUT, "20", Source.TECHNICIAN).accepted
        assert model.set(v.SECURITY_PROFILE, "1", Source.TECHNICIAN).accepted
        assert model.set(v.SECURITY_PROFILE, "0", Source.TECHNICIAN).accepted  # by hand it may be lowered

    def test_only_the_station_reports_states(self, model: DeviceModel) -> None:
        for source in (Source.CSMS, Source.TECHNICIAN):
            assert not model.set(v.STATION_AVAILABILITY_STATE, "Faulted", source).accepted
        assert not model.set_factory(v.STATION_AVAILABILITY_STATE, "Faulted").accepted
        assert model.set(v.STATION_AVAILABILITY_STATE, "Faulted", Source.STATION).accepted
        assert model.drain_changes() == []

    def test_a_constant_never_changes(self, model: DeviceModel) -> None:
        assert not model.set(v.STATION_MODEL, "Other", Source.STATION).accepted
        assert not model.set_factory(v.STATION_MODEL, "Other").accepted
        assert model.get(v.STATION_MODEL) == "AC22"

    def test_a_write_only_value_passes_through_and_is_not_kept(self, model: DeviceModel) -> None:
        seen: list[VariableId] = []
        model.on_change(v.BASIC_AUTH_PASSWORD, seen.append)
        for _ in range(2):
            assert model.set(v.BASIC_AUTH_PASSWORD, "00" * 16).accepted
        assert model.drain_changes() == [(v.BASIC_AUTH_PASSWORD, "00" * 16)] * 2
        assert seen == [v.BASIC_AUTH_PASSWORD] * 2
        with pytest.raises(KeyError):
            model.get(v.BASIC_AUTH_PASSWORD)
        assert not model.set_factory(v.BASIC_AUTH_PASSWORD, "00" * 16).accepted

    def test_a_constraint_can_refuse_a_fitting_value(self, model: DeviceModel) -> None:
        model.constrain(v.SECURITY_PROFILE, lambda value: "no root certificate" if value == "2" else None)
        assert model.set(v.SECURITY_PROFILE, "2", Source.STATION).reason == "no root certificate"
        assert model.set(v.SECURITY_PROFILE, "1", Source.STATION).accepted

    def test_checking_changes_nothing(self, model: DeviceModel) -> None:
        assert model.check(v.HEARTBEAT_INTERVAL, "5").accepted
        assert not model.check(v.HEARTBEAT_INTERVAL, "x").accepted
        assert (model.integer(v.HEARTBEAT_INTERVAL), model.revision) == (300, 0)

    def test_what_takes_a_reboot_says_so_once(self) -> None:
        spec = VariableSpec(VariableId("C", "V"), DataType.INTEGER, "1", reboot_required=True)
        model = DeviceModel([spec], frozenset())
        assert model.set(spec.id, "2").status is SetStatus.REBOOT_REQUIRED
        assert model.set(spec.id, "2").status is SetStatus.ACCEPTED

    def test_all_or_none(self, model: DeviceModel) -> None:
        outcome = model.set_all(((v.HEARTBEAT_INTERVAL, "5"), (v.LIGHT_INTENSITY, "500")))
        assert outcome.status is SetStatus.REJECTED
        assert model.integer(v.HEARTBEAT_INTERVAL) == 300


class TestLayers:
    def test_what_was_set_wins_over_the_factory(self, model: DeviceModel) -> None:
        model.set_factory(v.HEARTBEAT_INTERVAL, "100")
        model.set(v.HEARTBEAT_INTERVAL, "50")
        model.set_factory(v.HEARTBEAT_INTERVAL, "200")
        assert model.integer(v.HEARTBEAT_INTERVAL) == 50

    def test_a_value_set_equal_to_the_factory_outlives_a_new_factory_value(self, model: DeviceModel) -> None:
        model.set(v.HEARTBEAT_INTERVAL, "300")
        changes = model.drain_changes()
        assert changes == [(v.HEARTBEAT_INTERVAL, "300")]
        updated = station_model()
        updated.set_factory(v.HEARTBEAT_INTERVAL, "600")
        updated.restore(*changes[0])
        assert updated.integer(v.HEARTBEAT_INTERVAL) == 300

    def test_the_same_value_again_is_no_change(self, model: DeviceModel) -> None:
        model.set(v.HEARTBEAT_INTERVAL, "50")
        model.drain_changes()
        model.set(v.HEARTBEAT_INTERVAL, "50")
        assert model.drain_changes() == []

    def test_a_restored_value_is_no_change(self, model: DeviceModel) -> None:
        assert model.restore(v.HEARTBEAT_INTERVAL, "50").accepted
        assert model.integer(v.HEARTBEAT_INTERVAL) == 50
        assert model.drain_changes() == []

    def test_a_persisted_value_that_no_longer_fits_is_refused(self, model: DeviceModel) -> None:
        assert not model.restore(v.HEARTBEAT_INTERVAL, "soon").accepted
        assert not model.restore(VariableId("GoneCtrlr", "Gone"), "1").accepted
        assert model.integer(v.HEARTBEAT_INTERVAL) == 300

    def test_changes_come_in_order(self, model: DeviceModel) -> None:
        model.set(v.HEARTBEAT_INTERVAL, "50")
        model.set(v.AUTH_CACHE_ENABLED, "false")
        assert model.drain_changes() == [(v.HEARTBEAT_INTERVAL, "50"), (v.AUTH_CACHE_ENABLED, "false")]


class TestObservers:
    def test_learn_of_a_change_and_only_of_a_change(self, model: DeviceModel) -> None:
        seen: list[str] = []
        model.on_change(v.HEARTBEAT_INTERVAL, lambda variable: seen.append(model.get(variable)))
        model.set(v.HEARTBEAT_INTERVAL, "50")
        model.set(v.HEARTBEAT_INTERVAL, "50")
        model.set(v.HEARTBEAT_INTERVAL, "no")
        model.set(v.AUTH_CACHE_ENABLED, "false")
        assert seen == ["50"]

    def test_see_everything_that_changed_together(self, model: DeviceModel) -> None:
        seen: list[tuple[int, int]] = []
        model.on_change(
            v.SAMPLED_TX_UPDATED_INTERVAL,
            lambda _: seen.append((model.integer(v.SAMPLED_TX_UPDATED_INTERVAL), model.integer(v.METER_FAILURE_GRACE))),
        )
        model.set_all(((v.SAMPLED_TX_UPDATED_INTERVAL, "5"), (v.METER_FAILURE_GRACE, "5")))
        assert seen == [(5, 5)]

    def test_a_state_can_be_computed_when_it_is_read(self, model: DeviceModel) -> None:
        profiles = iter(("1", "2", "3"))
        model.provide(v.ACTIVE_NETWORK_PROFILE, lambda: next(profiles))
        assert model.get(v.ACTIVE_NETWORK_PROFILE) == "1"
        assert [model.integer(v.ACTIVE_NETWORK_PROFILE) for _ in range(2)] == [2, 3]
