"""How many pages of a job fit into a turn of a slot, by those that were read before."""

from dataclasses import replace
from uuid import uuid4

import pytest

from docserver.jobs import paces
from docserver.jobs.paces import MAX_PAGES, TURN_S, Paces
from tests.support.pages import JOB

OTHER = replace(JOB, id=uuid4())
"""Another job of the same client."""


def noted(*pages_s: float) -> Paces:
    made = Paces()
    for page_s in pages_s:
        made.note(JOB, page_s)
    return made


@pytest.mark.parametrize(
    ("pages_s", "expected"),
    [
        ((), 1),
        ((0.0,), 2),
        ((0.0, 0.0), 4),
        ((0.0,) * 2000, MAX_PAGES),
        ((TURN_S / 10,) * 20, 9),
        ((TURN_S / 2,) * 20, 1),
        ((100.0,), 1),
        # One slow page is enough to be careful.
        ((*[0.0] * 20, 2 * TURN_S), 1),
    ],
)
def test_a_turn_takes_more_pages_only_after_several_were_quick(pages_s: tuple[float, ...], expected: int) -> None:
    assert noted(*pages_s).pages_in_turn(JOB) == expected


def test_a_new_job_is_expected_to_be_as_quick_as_the_last_ones_of_its_client_or_of_all() -> None:
    made = noted(0.0, 0.0)
    assert made.pages_in_turn(OTHER) == made.pages_in_turn(replace(OTHER, client="another")) == 4

    made.note(replace(OTHER, client="another"), 2 * TURN_S)

    assert made.pages_in_turn(JOB) == made.pages_in_turn(replace(JOB, id=uuid4())) == 4
    assert made.pages_in_turn(replace(JOB, id=uuid4(), client="a third")) == 1


def test_only_the_latest_jobs_and_clients_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paces, "MAX_KNOWN", 3)
    made = noted(0.0, 0.0)
    made.note(replace(JOB, id=uuid4(), client="another"), 2 * TURN_S)

    assert made.pages_in_turn(JOB) == 1
