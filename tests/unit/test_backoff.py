"""Pauses between tries."""

from itertools import islice

import pytest

from docserver.backoff import doubling, full_jitter_s


def test_pauses_double_up_to_the_longest() -> None:
    assert list(islice(doubling(0.5, 3), 5)) == [0.5, 1, 2, 3, 3]


def test_with_full_jitter_a_pause_is_drawn_from_nothing_to_a_bound_that_doubles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bounds: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        bounds.append((low, high))
        return low

    monkeypatch.setattr("random.uniform", uniform)

    assert [full_jitter_s(2, tries=tries) for tries in range(3)] == [0, 0, 0]

    assert bounds == [(0, 2), (0, 4), (0, 8)]
