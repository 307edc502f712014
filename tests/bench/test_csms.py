"""The bench CSMS, met by a bare WebSocket client and by the `ocpp` package's own station."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from ocpp.routing import on  # type: ignore[import-untyped]  # the package carries no types
from ocpp.v16 import ChargePoint, call, call_result  # type: ignore[import-untyped]  # likewise
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus, NegotiationError
from websockets.typing import Subprotocol as Name

from agent.bench import conversation
from agent.bench.answers import CallError, Delay, Raw, Silence
from agent.bench.csms import BenchCsms
from agent.bench.messages import Message, NotSeenError
from agent.bench.station import NotConnectedError
from agent.bench.tls import BenchTls
from agent.bench.upgrade import CloseAtOnce, NoAnswer, Refuse, Subprotocol

BOOT = {"chargePointVendor": "Acme", "chargePointModel": "AC22"}
START = {"connectorId": 1, "idTag": "04AA", "meterStart": 100, "timestamp": "2026-01-01T10:00:00.000Z"}
STOP = {"transactionId": 1, "meterStop": 350, "timestamp": "2026-01-01T11:00:00.000Z"}


def dial(csms: BenchCsms, identity: str = "CP001", **options: Any) -> connect:
    options.setdefault("subprotocols", [Name("ocpp1.6")])
    return connect(f"{csms.url}/{identity}", compression=None, ping_interval=None, **options)


async def ask(client: ClientConnection, message_id: str, action: str, payload: dict[str, Any]) -> list[Any]:
    await client.send(json.dumps([2, message_id, action, payload]))
    return await answer(client)


async def answer(client: ClientConnection) -> list[Any]:
    async with asyncio.timeout(2):
        frame: list[Any] = json.loads(await client.recv())
    return frame


@asynccontextmanager
async def station(csms: BenchCsms) -> AsyncIterator[ClientConnection]:
    async with dial(csms) as client:
        yield client


class Station(ChargePoint):  # type: ignore[misc]  # the ocpp package carries no types
    @on("GetConfiguration")  # type: ignore[untyped-decorator]  # likewise
    def get_configuration(self, key: list[str], **_: object) -> object:
        return call_result.GetConfiguration(unknown_key=key)


class TestUsualAnswers:
    async def test_the_ocpp_packages_station_runs_a_session(self) -> None:
        async with BenchCsms(first_transaction_id=70) as csms, dial(csms) as client:
            charge_point = Station("CP001", client)
            reading = asyncio.create_task(charge_point.start())
            boot = await charge_point.call(call.BootNotification("AC22", "Acme"), suppress=False)
            start = await charge_point.call(call.StartTransaction(1, "04AA", 100, START["timestamp"]), suppress=False)
            await charge_point.call(call.StopTransaction(350, STOP["timestamp"], start.transaction_id), suppress=False)
            asked = await csms.station().call("GetConfiguration", {"key": ["Nonsense"]})
            reading.cancel()
        assert (boot.status, boot.interval) == ("Accepted", 300)
        assert start.transaction_id == 70
        assert asked == {"unknownKey": ["Nonsense"]}
        assert csms.ledger.energy_wh == 250
        csms.ledger.assert_clean()
        assert csms.station().problems == []

    async def test_registration_follows_the_script(self) -> None:
        async with BenchCsms() as csms, station(csms) as client:
            csms.registrations.extend([("Pending", 2), ("Rejected", 5)])
            csms.heartbeat_interval_s = 77
            csms.clock = lambda: datetime(2030, 1, 1, tzinfo=UTC)
            answers = [(await ask(client, str(n), "BootNotification", BOOT))[2] for n in range(3)]
        assert [(a["status"], a["interval"]) for a in answers] == [("Pending", 2), ("Rejected", 5), ("Accepted", 77)]
        assert answers[0]["currentTime"] == "2030-01-01T00:00:00.000Z"

    async def test_id_tags_are_answered_as_listed_whatever_their_case(self) -> None:
        async with BenchCsms() as csms, station(csms) as client:
            csms.id_tags["04Aa"] = {"status": "Blocked", "parentIdTag": "FLEET"}
            csms.other_id_tags = {"status": "Invalid"}
            listed = await ask(client, "1", "Authorize", {"idTag": "04aA"})
            other = await ask(client, "2", "Authorize", {"idTag": "05BB"})
        assert listed[2] == {"idTagInfo": {"status": "Blocked", "parentIdTag": "FLEET"}}
        assert other[2] == {"idTagInfo": {"status": "Invalid"}}

    async def test_a_start_that_is_sent_again_keeps_its_transaction_id(self) -> None:
        async with BenchCsms() as csms:
            ids = []
            for _ in range(2):
                async with dial(csms) as client:
                    ids.append((await ask(client, "same", "StartTransaction", START))[2]["transactionId"])
        assert ids == [1, 1]
        csms.ledger.assert_clean(running=1)

    @pytest.mark.parametrize(
        ("action", "payload", "code"),
        [
            ("Authorize", {"idTag": "04AA", "extra": 1}, "FormatViolation"),
            ("Authorize", {}, "ProtocolError"),
            ("Authorize", {"idTag": 4}, "TypeConstraintViolation"),
            ("Nonsense", {}, "NotSupported"),
        ],
    )
    async def test_what_the_schema_refuses_is_refused_and_noted(
        self, action: str, payload: dict[str, Any], code: str
    ) -> None:
        async with BenchCsms() as csms, station(csms) as client:
            csms.on("Authorize", {"idTagInfo": {"status": "Accepted"}})
            kind, message_id, said, *_ = await ask(client, "1", action, payload)
        assert (kind, message_id, said) == (4, "1", code)
        assert f": {action} {{" in csms.station().problems[0]


class TestScriptedAnswers:
    async def test_next_answers_come_first_then_the_standing_one_then_the_usual(self) -> None:
        async with BenchCsms() as csms, station(csms) as client:
            csms.on("Authorize", lambda payload: {"idTagInfo": {"status": "Expired"}} if payload["idTag"] else None)
            csms.on_next("Authorize", {"idTagInfo": {"status": "Blocked"}}, CallError("InternalError", "tired"))
            blocked = await ask(client, "1", "Authorize", {"idTag": "A"})
            refused = await ask(client, "2", "Authorize", {"idTag": "A"})
            expired = await ask(client, "3", "Authorize", {"idTag": "A"})
            usual = await ask(client, "4", "Authorize", {"idTag": ""})
            csms.on("Authorize", None)
            usual_again = await ask(client, "5", "Authorize", {"idTag": "A"})
        assert blocked[2]["idTagInfo"]["status"] == "Blocked"
        assert refused == [4, "2", "InternalError", "tired", {}]
        assert expired[2]["idTagInfo"]["status"] == "Expired"
        assert usual[2]["idTagInfo"]["status"] == usual_again[2]["idTagInfo"]["status"] == "Accepted"

    async def test_a_function_may_be_a_coroutine(self) -> None:
        async def later(payload: dict[str, Any]) -> dict[str, Any]:
            await asyncio.sleep(0)
            return {"status": "Accepted", "data": payload["vendorId"]}

        async with BenchCsms() as csms, station(csms) as client:
            csms.on("DataTransfer", later)
            assert (await ask(client, "1", "DataTransfer", {"vendorId": "x"}))[2]["data"] == "x"

    @pytest.mark.parametrize(("silence", "running"), [(Silence(), 0), (Silence(processed=True), 1)])
    async def test_silence_may_come_with_or_without_the_deed(self, silence: Silence, running: int) -> None:
        async with BenchCsms() as csms, station(csms) as client:
            csms.on_next("StartTransaction", silence)
            await client.send(json.dumps([2, "1", "StartTransaction", START]))
            assert (await ask(client, "2", "Heartbeat", {}))[1] == "2"
            csms.ledger.assert_clean(running=running)

    async def test_a_delayed_answer_holds_up_nothing_else_but_its_call_is_still_open(self) -> None:
        async with BenchCsms() as csms, station(csms) as client:
            csms.on_next("BootNotification", Delay(0.05))
            await client.send(json.dumps([2, "1", "BootNotification", BOOT]))
            await client.send(json.dumps([2, "2", "Heartbeat", {}]))
            assert [(await answer(client))[1] for _ in range(2)] == ["2", "1"]
        assert csms.station().problems == ["Heartbeat 2 sent before BootNotification was answered"]

    async def test_what_has_arrived_is_done_though_the_connection_is_gone(self) -> None:
        async with BenchCsms() as csms:
            async with dial(csms) as client:
                await client.send(json.dumps([2, "1", "StartTransaction", START]))
                await client.send(json.dumps([2, "2", "StopTransaction", {**STOP, "transactionId": 1}]))
                csms.on("StopTransaction", Delay(30))
                client.transport.abort()
            await csms.station().wait_for("StopTransaction")
        csms.ledger.assert_clean()

    async def test_nothing_goes_on_after_the_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(conversation, "_FINISH_TIMEOUT_S", 0.01)
        csms = BenchCsms()
        async with csms, station(csms) as client:
            csms.on("Heartbeat", lambda _: asyncio.sleep(60, None))
            await client.send(json.dumps([2, "1", "Heartbeat", {}]))
            await ask(client, "2", "BootNotification", BOOT)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def test_a_function_that_raises_is_a_problem_that_is_noted(self) -> None:
        def wrong(_payload: dict[str, Any]) -> None:
            raise ValueError("what now?")

        async with BenchCsms() as csms, station(csms) as client:
            csms.on_next("Heartbeat", wrong)
            await client.send(json.dumps([2, "1", "Heartbeat", {}]))
            await ask(client, "2", "Heartbeat", {})
        assert "answering Heartbeat raised ValueError('what now?')" in csms.station().problems

    async def test_raw_text_goes_out_as_it_is(self) -> None:
        async with BenchCsms() as csms, station(csms) as client:
            csms.on_next("Heartbeat", Raw('[3,"somebody else","'))
            await client.send(json.dumps([2, "1", "Heartbeat", {}]))
            assert await client.recv() == '[3,"somebody else","'


class TestWatching:
    async def test_waiting_finds_what_has_been_and_what_comes_each_once(self) -> None:
        async with BenchCsms() as csms, station(csms) as client:
            seen = csms.station()
            for number, status in enumerate(("Available", "Preparing", "Available")):
                await ask(client, str(number), "StatusNotification", status_of(1, status))
            first = await seen.wait_for("StatusNotification", connectorId=1, status="Available")
            second = await seen.wait_for("StatusNotification", connectorId=1, status="Available")
            assert (first.message_id, second.message_id) == ("0", "2")
            waiting = asyncio.create_task(seen.wait_for("StatusNotification", connectorId=1, status="Available"))
            await ask(client, "3", "StatusNotification", status_of(1, "Available"))
            assert (await waiting).message_id == "3"

    async def test_each_connector_has_its_own_cursor(self) -> None:
        async with BenchCsms() as csms, station(csms) as client:
            await ask(client, "1", "StatusNotification", status_of(2, "Charging"))
            await ask(client, "2", "StatusNotification", status_of(1, "Charging"))
            for connector_id in (1, 2):
                await csms.station().wait_for("StatusNotification", connectorId=connector_id, status="Charging")

    async def test_a_wait_in_vain_says_what_was_seen(self) -> None:
        async with BenchCsms() as csms, station(csms) as client:
            await ask(client, "1", "StatusNotification", status_of(1, "Faulted"))
            csms.station().skip()
            with pytest.raises(NotSeenError, match=r'no StatusNotification \{"status": "Faulted"\}(?s:.*)#1 station->'):
                await csms.station().wait_for("StatusNotification", status="Faulted", timeout_s=0.01)

    async def test_where_asks_for_what_fields_cannot(self) -> None:
        def later(message: Message) -> bool:
            return bool(message.payload["meterStart"] > 100)

        async with BenchCsms() as csms, station(csms) as client:
            await ask(client, "1", "StartTransaction", START)
            await ask(client, "2", "StartTransaction", {**START, "connectorId": 2, "meterStart": 200})
            assert (await csms.station().wait_for("StartTransaction", where=later)).message_id == "2"

    async def test_messages_are_kept_over_reconnects_with_the_answered_action(self) -> None:
        async with BenchCsms() as csms:
            for number in (1, 2):
                async with dial(csms) as client:
                    await ask(client, str(number), "Heartbeat", {})
                await csms.station().wait_disconnected()
        said = [(m.connection, m.sent, m.kind.name, m.action) for m in csms.station().messages]
        assert said[:2] == [(1, False, "CALL", "Heartbeat"), (1, True, "RESULT", "Heartbeat")]
        assert said[2:] == [(2, *one[1:]) for one in said[:2]]
        assert [ended.code for ended in csms.station().ended] == [1000, 1000]

    async def test_a_station_must_not_use_an_id_twice_nor_send_garbage(self) -> None:
        async with BenchCsms() as csms, station(csms) as client:
            await ask(client, "1", "Heartbeat", {})
            await ask(client, "1", "BootNotification", BOOT)
            for garbage in ("[", b"[2]", "[2,1,2,3]", "{}"):
                await client.send(garbage)
            await ask(client, "2", "Heartbeat", {})
        reuse, *garbage_seen = csms.station().problems
        assert reuse == "message id 1 used for two different calls"
        assert len(garbage_seen) == 4


class TestCalling:
    async def test_a_call_error_is_raised(self) -> None:
        async with BenchCsms() as csms, station(csms) as client:
            await csms.station().wait_connected()
            calling = asyncio.create_task(csms.station().call("Reset", {"type": "Hard"}))
            _, message_id, action, payload = await answer(client)
            assert (action, payload) == ("Reset", {"type": "Hard"})
            await client.send(json.dumps([4, message_id, "NotSupported", "no", {"a": 1}]))
            with pytest.raises(CallError, match="NotSupported: no") as raised:
                await calling
        assert raised.value.details == {"a": 1}

    async def test_an_answer_that_the_schema_refuses_fails_the_call(self) -> None:
        async with BenchCsms() as csms, station(csms) as client:
            await csms.station().wait_connected()
            calling = asyncio.create_task(csms.station().call("Reset", {"type": "Hard"}))
            message_id = (await answer(client))[1]
            await client.send(json.dumps([3, message_id, {"status": "Maybe"}]))
            with pytest.raises(AssertionError, match="Reset: the answer"):
                await calling

    async def test_nobody_can_be_called_who_is_not_there(self) -> None:
        async with BenchCsms() as csms:
            with pytest.raises(NotConnectedError):
                await csms.station().call("ClearCache")
            with pytest.raises(NotConnectedError, match="0 connections so far"):
                await csms.station().wait_connected(timeout_s=0.01)

    async def test_binary_and_broken_frames_can_be_sent(self) -> None:
        async with BenchCsms() as csms, station(csms) as client:
            await csms.station().wait_connected()
            await csms.station().send_raw(b"\x00\x01")
            await csms.station().send_raw("{")
            assert [await client.recv(), await client.recv()] == [b"\x00\x01", "{"]


class TestConnections:
    async def test_basic_auth_is_checked(self) -> None:
        def authorized(credentials: str) -> connect:
            encoded = base64.b64encode(credentials.encode()).decode()
            return dial(csms, additional_headers={"Authorization": f"Basic {encoded}"})

        async with BenchCsms(password="s3cret-s3cret") as csms:  # noqa: S106 - made up for this test
            for wrong in ("CP001:nope", "CP002:s3cret-s3cret"):
                with pytest.raises(InvalidStatus, match="401"):
                    await authorized(wrong)
            with pytest.raises(InvalidStatus, match="401") as refused:
                await dial(csms)
            async with authorized("CP001:s3cret-s3cret") as client:
                await ask(client, "1", "Heartbeat", {})
        assert refused.value.response.headers["WWW-Authenticate"] == 'Basic realm="OCPP"'

    async def test_unknown_stations_get_404_and_identities_are_decoded(self) -> None:
        async with BenchCsms(accept_identity=lambda identity: identity == "CP 1/2") as csms:
            with pytest.raises(InvalidStatus, match="404"):
                await dial(csms, "CP1")
            async with dial(csms, "CP%201%2F2") as client:
                await ask(client, "1", "Heartbeat", {})
            assert csms.station("CP 1/2").connections == 1
        assert [attempt.path for attempt in csms.attempts] == ["/ocpp/CP1", "/ocpp/CP%201%2F2"]
        assert csms.attempts[0].subprotocols == "ocpp1.6"

    async def test_an_upgrade_is_refused_as_scripted_and_the_next_one_is_not(self) -> None:
        async with BenchCsms() as csms:
            csms.upgrades.append(Refuse(429, {"Retry-After": "7"}, "slow down"))
            with pytest.raises(InvalidStatus, match="429") as refused:
                await dial(csms)
            async with dial(csms):
                pass
        assert refused.value.response.headers["Retry-After"] == "7"
        assert refused.value.response.body == b"slow down"

    @pytest.mark.parametrize(
        ("name", "offered", "selected"),
        [(None, ["ocpp1.6"], None), ("ocpp2.0.1", ["ocpp1.6", "ocpp2.0.1"], "ocpp2.0.1")],
    )
    async def test_any_subprotocol_can_be_selected(
        self, name: str | None, offered: list[str], selected: str | None
    ) -> None:
        async with BenchCsms() as csms:
            csms.every_upgrade = Subprotocol(name)
            async with dial(csms, subprotocols=[Name(one) for one in offered]) as client:
                assert client.subprotocol == selected

    async def test_a_subprotocol_that_was_not_offered_can_be_selected(self) -> None:
        async with BenchCsms() as csms:
            csms.every_upgrade = Subprotocol("ocpp2.0.1")
            with pytest.raises(NegotiationError):
                await dial(csms)

    async def test_without_a_common_version_the_connection_is_closed_after_the_handshake(self) -> None:
        async with BenchCsms() as csms, dial(csms, subprotocols=[Name("ocpp2.0.1")]) as client:
            assert client.subprotocol is None
            with pytest.raises(ConnectionClosed):
                await client.recv()

    @pytest.mark.parametrize(("fault", "code"), [(CloseAtOnce(1008, "twice"), 1008), (CloseAtOnce(None), 1006)])
    async def test_a_connection_can_end_right_after_the_handshake(self, fault: CloseAtOnce, code: int) -> None:
        async with BenchCsms() as csms:
            csms.upgrades.append(fault)
            try:
                async with dial(csms) as client:
                    await client.wait_closed()
                    assert client.close_code == code
            except InvalidHandshake:
                assert code == 1006  # the reset may overtake the answer

    async def test_an_upgrade_can_stay_without_an_answer(self) -> None:
        async with BenchCsms() as csms:
            csms.upgrades.append(NoAnswer())
            with pytest.raises(TimeoutError):
                await dial(csms, open_timeout=0.05)

    async def test_a_station_can_be_disconnected_with_a_code_or_by_reset(self) -> None:
        async with BenchCsms() as csms:
            for number, options, code in ((1, {"code": 1001}, 1001), (2, {"abort": True}, 1006)):
                async with dial(csms) as client:
                    await csms.station().wait_connected(connection=number)
                    await csms.station().disconnect(**options)
                    await client.wait_closed()
                    assert client.close_code == code

    async def test_a_second_connection_of_a_station_ends_the_first(self) -> None:
        async with BenchCsms() as csms, dial(csms) as first:
            await csms.station().wait_connected()
            async with dial(csms) as second:
                await first.wait_closed()
                await ask(second, "1", "Heartbeat", {})
                assert csms.station().connected

    async def test_a_stopped_csms_starts_again_at_the_same_url_with_its_memory(self) -> None:
        async with BenchCsms() as csms:
            url = csms.url
            async with dial(csms) as client:
                await ask(client, "1", "StartTransaction", START)
                await csms.stop()
                await client.wait_closed()
            with pytest.raises(OSError, match="Connect"):
                await dial(csms)
            await csms.start()
            assert csms.url == url
            async with dial(csms) as client:
                await ask(client, "2", "StopTransaction", STOP)
            csms.ledger.assert_clean()

    async def test_tls_is_served_with_the_certificate_that_was_made(self) -> None:
        tls = BenchTls()
        async with BenchCsms(tls=tls) as csms:
            assert csms.url.startswith("wss://")
            async with dial(csms, ssl=ssl.create_default_context(cadata=tls.root_ca)) as client:
                await ask(client, "1", "Heartbeat", {})
            with pytest.raises(ssl.SSLCertVerificationError):
                await dial(csms, ssl=ssl.create_default_context(cadata=BenchTls().root_ca))
            with pytest.raises((InvalidMessage, OSError)):
                await connect(csms.url.replace("wss:", "ws:"))


def status_of(connector_id: int, status: str) -> dict[str, Any]:
    return {"connectorId": connector_id, "errorCode": "NoError", "status": status}
