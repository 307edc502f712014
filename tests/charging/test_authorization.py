"""Who may charge: the CSMS's word, the local one, groups, and tokens that turn out invalid (1.6 §3.5, §3.10, §4.1)."""

from __future__ import annotations

import pytest

from agent.charging import effects as ef
from agent.charging import variables as v
from agent.charging.characteristics import VariableId
from agent.charging.reports import UnlockAnswer
from agent.charging.types import ChargingState, IdTokenInfo, Session, StopReason, UnlockStatus

from .harness import ACCEPTED, BLOCKED, INVALID, START_MS, Bench, accepted, socket


def known(*tokens: str, info: IdTokenInfo = ACCEPTED, settings: dict[VariableId, object] | None = None) -> Bench:
    """A station whose cache has heard of these tokens."""
    bench = Bench(settings=settings)
    for token in tokens:
        bench.answers[token] = info
        bench.hold_answers = False
        bench.card(token)
        bench.card(token)
    assert bench.session() is Session.AVAILABLE
    bench.log.clear()
    return bench


class TestOnline:
    def test_an_unknown_token_is_asked_about(self) -> None:
        """1.6 §4.1"""
        bench = Bench()
        bench.plug_in()
        bench.card()
        assert bench.asked == ["ANNA"]
        assert bench.charging()

    @pytest.mark.parametrize("info", [INVALID, BLOCKED])
    def test_a_refused_token_is_signalled_and_starts_nothing(self, info: IdTokenInfo) -> None:
        bench = Bench()
        bench.answers["ANNA"] = info
        bench.plug_in()
        bench.card()
        assert bench.rejections == 1
        assert not bench.started
        bench.plug_in()
        assert not bench.of(ef.CloseContactor)

    def test_whoever_started_stops_without_being_asked_about(self) -> None:
        """1.6 §4.1: only where the identifier differs"""
        bench = Bench()
        bench.charge()
        bench.card()
        assert bench.asked == ["ANNA"]
        assert bench.stop_reasons == [StopReason.LOCAL]

    def test_a_stranger_stops_nothing(self) -> None:
        bench = Bench()
        bench.charge()
        bench.card("MALLORY")
        assert bench.charging()
        assert bench.rejections == 1

    def test_nobody_is_asked_where_nobody_can_charge(self) -> None:
        bench = Bench()
        bench.raise_fault()
        bench.card()
        assert not bench.asked
        assert bench.rejections == 1


class TestLocalPreAuthorize:
    """1.6 §9.1.13"""

    def test_lets_a_known_token_start_without_a_question(self) -> None:
        bench = known("ANNA", settings={v.LOCAL_PRE_AUTHORIZE: True})
        bench.plug_in()
        bench.card()
        assert bench.charging()
        assert not bench.asked

    def test_off_asks_all_the_same(self) -> None:
        bench = known("ANNA", settings={v.LOCAL_PRE_AUTHORIZE: False})
        bench.plug_in()
        bench.card()
        assert bench.asked == ["ANNA"]

    def test_asks_about_a_token_that_was_refused(self) -> None:
        """1.6 §3.5.1: its state may have changed"""
        bench = Bench(settings={v.LOCAL_PRE_AUTHORIZE: True})
        bench.answers["ANNA"] = INVALID
        bench.card()
        bench.answers["ANNA"] = ACCEPTED
        bench.plug_in()
        bench.card()
        assert bench.asked == ["ANNA", "ANNA"]
        assert bench.charging()

    def test_asks_about_a_token_that_has_expired(self) -> None:
        bench = known("ANNA", info=accepted(expires_ms=START_MS + 60_000), settings={v.LOCAL_PRE_AUTHORIZE: True})
        bench.advance(61)
        bench.card()
        assert bench.asked == ["ANNA"]


class TestOffline:
    """1.6 §3.5.4, §9.1.1, §9.1.12"""

    @pytest.mark.parametrize("local", [False, True])
    @pytest.mark.parametrize("unknown", [False, True])
    @pytest.mark.parametrize(
        ("token", "may_charge"),
        [
            ("ACCEPTED", lambda local, unknown: local or unknown),
            ("UNKNOWN", lambda _local, unknown: unknown),
            ("REFUSED", lambda _local, _unknown: False),
            ("EXPIRED", lambda _local, _unknown: False),
        ],
    )
    def test_matrix(self, token: str, may_charge: object, *, local: bool, unknown: bool) -> None:
        bench = Bench(settings={v.LOCAL_AUTHORIZE_OFFLINE: local, v.OFFLINE_TX_FOR_UNKNOWN_ID_ENABLED: unknown})
        bench.answers["REFUSED"] = BLOCKED
        bench.answers["EXPIRED"] = accepted(expires_ms=START_MS + 1000)
        for each in ("ACCEPTED", "REFUSED", "EXPIRED"):
            bench.card(each)
            bench.card(each)
        bench.advance(2)
        bench.go_offline()
        bench.log.clear()
        bench.plug_in()
        bench.card(token)
        assert callable(may_charge)
        assert bench.charging() is may_charge(local, unknown)
        assert not bench.asked

    def test_an_answer_that_does_not_come_is_being_offline(self) -> None:
        bench = known("ANNA")
        bench.answers["ANNA"] = None
        bench.plug_in()
        bench.card()
        assert bench.charging()

    @pytest.mark.parametrize(("card", "charges"), [("ANNA", True), ("STRANGER", False)])
    def test_an_answer_that_is_lost_is_one_that_does_not_come(self, card: str, *, charges: bool) -> None:
        """Not even the word that there is none: the driver, whose car waits with them, waits no longer."""
        bench = known("ANNA")
        bench.hold_answers = True
        bench.plug_in()
        bench.card(card)
        assert bench.station.next_deadline() == bench.now.mono_s + 120
        bench.advance(119)
        assert not bench.started
        assert bench.rejections == 0
        bench.advance(11)
        assert bench.charging() == charges
        assert bench.rejections == (not charges)
        bench.answer()
        assert len(bench.started) == charges

    def test_without_a_cache_everybody_is_unknown(self) -> None:
        bench = known("ANNA")
        bench.set(v.AUTH_CACHE_ENABLED, value=False)
        bench.go_offline()
        bench.plug_in()
        bench.card()
        assert not bench.started

    def test_whoever_started_stops(self) -> None:
        bench = Bench()
        bench.charge()
        bench.go_offline()
        bench.card()
        assert bench.stop_reasons == [StopReason.LOCAL]

    def test_a_member_of_the_group_stops(self) -> None:
        bench = known("BEN", info=accepted("FAMILY"))
        bench.answers["ANNA"] = accepted("FAMILY")
        bench.charge()
        bench.go_offline()
        bench.card("BEN")
        assert bench.stop_reasons == [StopReason.LOCAL]


class TestGroup:
    """1.6 §3.10: any token of the group that started may stop"""

    def test_a_member_stops_after_being_asked_about(self) -> None:
        bench = Bench()
        bench.answers.update(ANNA=accepted("FAMILY"), BEN=accepted("family"))
        bench.charge()
        bench.card("BEN")
        assert bench.asked == ["ANNA", "BEN"]
        assert bench.stop_reasons == [StopReason.LOCAL]
        assert bench.ended[0].id_token is not None
        assert bench.ended[0].id_token.value == "BEN"

    def test_a_member_of_another_group_stops_nothing(self) -> None:
        bench = Bench()
        bench.answers.update(ANNA=accepted("FAMILY"), BEN=accepted("FIRM"), CARL=ACCEPTED)
        bench.charge()
        bench.card("BEN")
        bench.card("CARL")
        assert bench.charging()

    def test_a_refused_member_stops_nothing(self) -> None:
        bench = Bench()
        bench.answers.update(ANNA=accepted("FAMILY"), BEN=accepted("FAMILY")._replace(status=BLOCKED.status))
        bench.charge()
        bench.card("BEN")
        assert bench.charging()

    def test_the_group_id_itself_is_no_token(self) -> None:
        """§3.10: it should not be compared with a presented one"""
        bench = Bench()
        bench.answers.update(ANNA=accepted("FAMILY"), FAMILY=ACCEPTED)
        bench.charge()
        bench.card("FAMILY")
        assert bench.charging()

    def test_a_group_learnt_from_the_start_counts(self) -> None:
        bench = Bench()
        bench.charge()
        bench.start_answered(accepted("FAMILY"))
        bench.answers["BEN"] = accepted("FAMILY")
        bench.card("BEN")
        assert bench.stop_reasons == [StopReason.LOCAL]


class TestDeauthorized:
    """The CSMS refuses the token of a transaction that runs (1.6 §3.5.4, errata 3.5, 3.17)."""

    def test_stops_and_keeps_the_cable_until_the_same_token_comes(self) -> None:
        bench = Bench(settings={v.STOP_TX_ON_INVALID_ID: True})
        bench.charge()
        bench.start_answered(INVALID)
        assert bench.stop_reasons == [StopReason.DE_AUTHORIZED]
        assert not bench.hardware[1].contactor_closed
        assert bench.held()
        bench.card("MALLORY")
        assert bench.held()
        bench.card("ANNA")
        assert not bench.held()

    def test_or_until_one_of_the_same_group(self) -> None:
        bench = Bench()
        bench.answers.update(ANNA=accepted("FAMILY"), BEN=accepted("FAMILY"))
        bench.charge()
        bench.start_answered(INVALID)
        assert bench.held()
        bench.card("BEN")
        assert not bench.held()

    def test_nobody_else_may_charge_with_the_held_cable(self) -> None:
        bench = Bench()
        bench.charge()
        bench.start_answered(INVALID)
        bench.card("MALLORY", evse_id=1)
        assert len(bench.started) == 1
        assert bench.remote_start().value == "Rejected"
        assert bench.held()

    def test_an_operator_may_free_the_cable(self) -> None:
        bench = Bench()
        bench.charge()
        bench.start_answered(INVALID)
        bench.unlock()
        assert not bench.held()
        bench.unplug()
        bench.charge(card="BEN")

    def test_an_operator_comes_before_the_owner(self) -> None:
        bench = Bench()
        bench.charge()
        bench.hardware[1].late_s = 0.5
        bench.start_answered(INVALID)
        bench.unlock()
        bench.advance(10)
        assert not bench.held()
        assert bench.of(UnlockAnswer) == [UnlockAnswer("call", UnlockStatus.UNLOCKED)]

    def test_a_cable_that_is_gone_all_the_same_holds_up_nobody(self) -> None:
        bench = Bench()
        bench.charge()
        bench.start_answered(INVALID)
        bench.hardware[1].locked = False  # a latch that did not hold
        bench.unplug()
        bench.charge(card="BEN")
        assert bench.charging()

    def test_without_stopping_only_the_energy_ends(self) -> None:
        bench = Bench(settings={v.STOP_TX_ON_INVALID_ID: False})
        bench.charge()
        bench.start_answered(INVALID)
        assert not bench.ended
        assert not bench.hardware[1].contactor_closed
        assert bench.charging_state() is ChargingState.SUSPENDED_EVSE
        bench.card()
        assert bench.stop_reasons == [StopReason.LOCAL]

    def test_may_have_enough_to_drive_away(self) -> None:
        """MaxEnergyOnInvalidId, 1.6 §9.1.14"""
        bench = Bench(settings={v.STOP_TX_ON_INVALID_ID: False, v.MAX_ENERGY_ON_INVALID_ID: 1000})
        bench.charge()
        bench.start_answered(INVALID)
        assert bench.charging()
        bench.advance(3600)
        assert not bench.hardware[1].contactor_closed
        assert 1000 <= bench.hardware[1].register_wh - 1000 < 1000 + 16 * 230 * 3 * 11 / 3600

    def test_after_its_end_holds_nothing(self) -> None:
        """Errata 3.17: 'and the transaction is still ongoing'"""
        bench = Bench()
        started = bench.charge()
        bench.hardware[1].late_s = 0.5
        bench.card()
        bench.start_answered(INVALID, started)
        bench.advance(5)
        assert bench.stop_reasons == [StopReason.LOCAL]
        assert not bench.held()

    def test_accepted_changes_nothing(self) -> None:
        bench = Bench()
        bench.charge()
        bench.start_answered(ACCEPTED)
        assert bench.charging()

    def test_of_another_transaction_changes_nothing_here(self) -> None:
        bench = Bench(socket(1), socket(2))
        first = bench.charge(1, "ANNA")
        bench.charge(2, "BEN")
        bench.start_answered(INVALID, first)
        assert [report.evse_id for report in bench.ended] == [1]
        assert bench.charging(2)
