"""What `python -m bench.growth` simulates."""

import pytest

from bench.growth.simulation import Server, simulate

DATABASE, REDIS = Server("database", cores=8, page_s=0.004), Server("Redis", cores=1, page_s=0.001)


def test_few_slots_read_as_fast_as_each_of_them_reads() -> None:
    outcome = simulate(10, page_s=1.0, servers=[DATABASE, REDIS])

    assert outcome.limit is None
    assert outcome.per_second == pytest.approx(10 / 1.005, rel=0.01)
    assert outcome.extra_s == pytest.approx(0.005, rel=0.1)
    assert outcome.busy["database"] == pytest.approx(10 * 0.004 / 8, rel=0.05)


def test_many_slots_read_as_fast_as_the_first_server_that_has_no_time_left() -> None:
    outcome = simulate(3000, page_s=1.0, servers=[DATABASE, REDIS])

    assert outcome.limit == "Redis"
    assert outcome.per_second == pytest.approx(1000, rel=0.05)
    assert outcome.busy["database"] == pytest.approx(0.5, rel=0.1)
