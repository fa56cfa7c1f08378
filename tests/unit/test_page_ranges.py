"""Selections of pages: read, written, and applied to a document."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docserver.page_ranges import MAX_PAGE_NUMBER, InvalidPages, format_pages, parse_pages, select_pages

ranges = st.lists(
    st.tuples(st.integers(1, MAX_PAGE_NUMBER), st.integers(0, 500)).map(
        lambda low_more: range(low_more[0], min(sum(low_more), MAX_PAGE_NUMBER) + 1)
    ),
    min_size=1,
    max_size=8,
).map(tuple)


@given(ranges)
def test_a_selection_of_pages_survives_its_text_form(selection: tuple[range, ...]) -> None:
    assert parse_pages(format_pages(selection)) == selection


@given(ranges, st.integers(0, 3000))
def test_the_selected_pages_are_those_that_the_document_has_ascending_and_once(
    selection: tuple[range, ...], total: int
) -> None:
    chosen = select_pages(selection, total=total)

    assert chosen == [number for number in range(1, total + 1) if any(number in part for part in selection)]


@given(st.text(max_size=12))
def test_any_text_is_a_selection_or_is_refused(text: str) -> None:
    try:
        parsed = parse_pages(text)
    except InvalidPages as error:
        assert len(str(error)) < 300
    else:
        assert parse_pages(format_pages(parsed)) == parsed


@pytest.mark.parametrize(
    ("text", "pages"),
    [
        ("1", [range(1, 2)]),
        ("1-3,7", [range(1, 4), range(7, 8)]),
        (" 2 , 4-5 ", [range(2, 3), range(4, 6)]),
        ("5-5", [range(5, 6)]),
        ("999999", [range(999_999, 1_000_000)]),
    ],
)
def test_a_selection_is_numbers_and_ranges_joined_by_commas(text: str, pages: list[range]) -> None:
    assert list(parse_pages(text)) == pages


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "1,",
        "0",
        "0-3",
        "3-1",
        "-3",
        "3-",
        "1-2-3",
        "+1",
        "1.5",
        "x",
        "1000000",
        "10000000000",
        "1-99999999",
        "\u0661",
        "²",
    ],
)
def test_what_is_no_selection_is_refused(text: str) -> None:
    with pytest.raises(InvalidPages):
        parse_pages(text)


def test_a_selection_far_beyond_the_document_costs_no_more_than_the_document() -> None:
    assert select_pages(parse_pages("2-999999"), total=3) == [2, 3]
