import pytest

from gateway.auth.throttle import Throttle

S = 1_000_000_000


def test_a_typo_costs_nothing_and_guessing_costs_more_and_more():
    throttle = Throttle(free=3, first=0.5, longest=10)
    delays = [throttle.failed("192.0.2.1", "alice", n * S) for n in range(12)]
    assert delays == [0, 0, 0, 0.5, 1, 2, 4, 8, 10, 10, 10, 10]
    assert all(isinstance(delay, float) for delay in delays)


def test_others_do_not_pay():
    throttle = Throttle()
    for n in range(10):
        throttle.failed("192.0.2.1", "alice", n)
    assert throttle.failed("192.0.2.1", "bob", 10) == 0
    assert throttle.failed("192.0.2.2", "alice", 10) == 0


def test_success_forgets_the_account_but_not_the_address():
    throttle = Throttle(free=1, free_per_address=5)
    assert [throttle.failed("::1", "Alice", n) for n in range(3)] == [0, 0.5, 1]
    throttle.succeeded("::1", "ALICE")
    throttle.succeeded("::1", "never failed")
    assert throttle.failed("::1", "alice", 3) == 0
    assert throttle.failed("::1", "bob", 4) == 0
    assert throttle.failed("::1", "carol", 5) == 0.5


def test_many_accounts_from_one_address():
    throttle = Throttle(free_per_address=20)
    delays = [throttle.failed("192.0.2.1", f"user{n}", n) for n in range(24)]
    assert delays == [0] * 20 + [0.5, 1, 2, 4]


def test_anonymous_failures_are_not_counted_twice():
    throttle = Throttle(free=3)
    assert [throttle.failed("192.0.2.1", "", n) for n in range(4)] == [0, 0, 0, 0.5]


def test_time_heals():
    throttle = Throttle(free=1, forget=60)
    assert [throttle.failed("192.0.2.1", "alice", n * S) for n in (0, 1, 2)] == [0, 0.5, 1]
    assert throttle.failed("192.0.2.1", "alice", 62 * S) == 2
    assert throttle.failed("192.0.2.1", "alice", (62 + 61) * S) == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8::1", "2001:db8::ffff:1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::2%eth0"),
        ("a pipe", "a pipe"),
    ],
)
def test_addresses_of_the_same_customer(one, other):
    throttle = Throttle(free=1)
    throttle.failed(one, "alice", 0)
    assert throttle.failed(other, "alice", 1) == 0.5


def test_addresses_of_different_customers():
    throttle = Throttle(free=1)
    throttle.failed("2001:db8::1", "alice", 0)
    assert throttle.failed("2001:db8:0:1::1", "alice", 1) == 0


def test_memory_is_bounded():
    throttle = Throttle(free=1, entries=100)
    for n in range(1000):
        throttle.failed("192.0.2.1", f"user{n}", n)
        throttle.failed("192.0.2.2", "alice", n)
        assert len(throttle) <= 100
    assert throttle.failed("192.0.2.2", "alice", 1000) == 10


def test_any_number_of_failures():
    throttle = Throttle(longest=1e9)
    assert max(throttle.failed("192.0.2.1", "alice", n) for n in range(2000)) == 1e9
