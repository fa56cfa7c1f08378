"""What the index of names records of a name, and how places in a block are written."""

import random

import pytest

from docserver.database.tables import name_index
from docserver.database.tables.name_index import BLOCK, bits_of, pack, part_of_type, parts_of, parts_to_find, places_of


@pytest.mark.parametrize("count", [1, 2, 99, 511, 512, 513, 4000, BLOCK])
def test_places_are_read_as_they_were_written(count: int) -> None:
    places = sorted(random.Random(count).sample(range(BLOCK), count))

    assert places_of(bits_of(pack(places))) == places
    assert len(pack(places)) == min(2 * count, BLOCK // 8)


def test_a_name_has_all_parts_of_each_text_in_it() -> None:
    name = b"".join(number.to_bytes(2, "big") for number in (1, 2, 3, 2, 3, 4, 5, 6, 7))
    parts = parts_of(name, "image/png")

    for start in range(0, len(name), 2):
        for end in range(start + 2, len(name) + 1, 2):
            assert parts >= {*parts_to_find(name[start:end])}


def test_few_parts_are_looked_for() -> None:
    text = bytes(range(20))

    assert parts_to_find(text) == [text[0:6], text[6:12], text[12:18], text[14:20]]
    assert parts_to_find(text[:2]) == [text[:2]]


def test_a_content_type_is_no_part_of_a_name() -> None:
    assert len(part_of_type("image/png")) > name_index.LONGEST * 2
