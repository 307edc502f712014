"""Connector numbering (1.6 §3.8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.charging.types import ConnectorSpec, EvseSpec
from agent.ocpp.v16.connectors import ConnectorNumbers

from ...charging.harness import socket
from .rig import two_sockets


def evses(connectors: list[int]) -> list[EvseSpec]:
    """EVSEs with this many connectors each."""
    return [
        EvseSpec(evse_id, tuple(ConnectorSpec(number, "cType2") for number in range(1, count + 1)), 32.0, 3)
        for evse_id, count in enumerate(connectors, start=1)
    ]


def test_one_sequence_over_all_evses() -> None:
    numbers = ConnectorNumbers([two_sockets(1), socket(4), two_sockets(7)])
    assert numbers.all == [(1, 1), (1, 2), (4, 1), (7, 1), (7, 2)]
    assert [numbers.number(*address) for address in numbers.all] == [1, 2, 3, 4, 5]


def test_0_is_the_station() -> None:
    numbers = ConnectorNumbers([socket(1)])
    assert numbers.number(0, 0) == 0
    assert numbers.address(0) == (0, 0)


@pytest.mark.parametrize("number", [-1, -2, 3, 2**63 - 1, -(2**63) + 1])
def test_what_does_not_exist_has_no_address(number: int) -> None:
    assert ConnectorNumbers([socket(1), socket(2)]).address(number) is None


def test_what_does_not_exist_has_no_number() -> None:
    with pytest.raises(KeyError):
        ConnectorNumbers([socket(1)]).number(1, 2)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6))
def test_both_ways_agree_and_no_number_is_skipped(connectors: list[int]) -> None:
    numbers = ConnectorNumbers(evses(connectors))
    addresses = [numbers.address(number) for number in range(sum(connectors) + 1)]
    assert None not in addresses
    assert [numbers.number(*address) for address in addresses if address] == list(range(sum(connectors) + 1))
    assert numbers.address(sum(connectors) + 1) is None
