"""How far a client has got with the events of a job."""

import pytest

from docserver.documents.events import START, Position


@pytest.mark.parametrize("position", [Position(4, 17), Position.end(9), Position(0, 3)])
def test_a_position_is_read_as_it_was_written(position: Position) -> None:
    assert Position.parse(str(position)) == position


def test_positions_are_ordered_as_events_come() -> None:
    assert START < Position(0, 1) < Position(4, 1) < Position(4, 2) < Position.end(4) < Position(5, 1)


@pytest.mark.parametrize("text", ["", "x", "4.", ".4", "4.1.2", "-4", "4 ", "²", "99999999999", "4.99999999"])
def test_what_is_no_position_is_the_start(text: str) -> None:
    assert Position.parse(text) == START
