"""The connections of the sender of webhooks: how many each receiver gets, whatever others hold."""

import pytest

from docserver.webhooks import shares as shares_module
from docserver.webhooks.shares import QUICK_S, Receiver, Shares

CONNECTIONS = 20
OTHER: Receiver = ("other", b"receiver")


def make_quick(shares: Shares, receiver: Receiver) -> None:
    shares.record(receiver, answered=True, duration_s=QUICK_S)


def fill(shares: Shares, receiver: Receiver) -> int:
    """Give a receiver all connections that it gets; returns how many."""
    room = shares.room(receiver)
    for _ in range(room):
        shares.take(receiver)
    return room


def with_slow_tenants(tenants: int, *, receivers: int) -> Shares:
    """The shares after this many tenants have filled them with receivers that do not answer."""
    shares = Shares(CONNECTIONS)
    for tenant in range(tenants):
        for receiver in range(receivers):
            fill(shares, (str(tenant), bytes([receiver])))
    return shares


@pytest.mark.parametrize(("tenants", "receivers"), [(1, 1), (1, 50), (6, 2), (6, 50), (50, 2), (50, 50)])
def test_a_receiver_that_answered_quickly_gets_a_connection_whatever_slow_ones_of_other_tenants_hold(
    tenants: int, receivers: int
) -> None:
    shares = with_slow_tenants(tenants, receivers=receivers)
    make_quick(shares, OTHER)

    assert shares.room(OTHER) > 0


def test_a_new_receiver_gets_a_connection_beside_six_tenants_with_two_slow_receivers_each() -> None:
    assert with_slow_tenants(6, receivers=2).room(OTHER) > 0


def test_a_tenants_quick_receiver_gets_a_connection_beside_its_slow_ones() -> None:
    shares = with_slow_tenants(1, receivers=50)
    quick = ("0", b"quick")
    make_quick(shares, quick)

    assert shares.room(quick) > 0


def test_a_tenant_without_a_connection_gets_the_next_that_is_free_before_those_that_have_one() -> None:
    shares = with_slow_tenants(50, receivers=50)
    assert shares.room(OTHER) == 0

    shares.give_back(("0", b"\x00"))

    assert shares.room(OTHER) == 1
    assert shares.room(("0", b"\x00")) == shares.room(("1", b"\x00")) == 0


def test_a_lone_receiver_gets_a_quarter_of_the_connections_if_it_is_quick() -> None:
    shares = Shares(CONNECTIONS)
    slow = shares.room(OTHER)
    make_quick(shares, OTHER)

    assert (slow, shares.room(OTHER)) == (3, 5)


@pytest.mark.parametrize(("answered", "duration_s"), [(True, QUICK_S + 1), (False, 0.1)])
def test_a_receiver_that_was_slow_or_failed_last_is_not_quick(*, answered: bool, duration_s: float) -> None:
    shares = with_slow_tenants(50, receivers=50)
    make_quick(shares, OTHER)
    shares.record(OTHER, answered=answered, duration_s=duration_s)

    assert shares.room(OTHER) == 0


@pytest.mark.parametrize("connections", [1, 2, 3, 4])
def test_all_connections_are_used_however_few_there_are(connections: int) -> None:
    shares = Shares(connections)
    for tenant in range(connections):
        receiver = (str(tenant), b"receiver")
        make_quick(shares, receiver)
        fill(shares, receiver)

    assert shares.free == 0


def test_only_the_latest_quick_receivers_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares_module, "MAX_QUICK", 1)
    shares = with_slow_tenants(50, receivers=50)
    make_quick(shares, OTHER)
    make_quick(shares, ("another", b"receiver"))

    assert shares.room(OTHER) == 0
