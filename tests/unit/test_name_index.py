"""What the index of names records of a name, and how places in a block are written."""

import random

import pytest

from docserver.database.tables.name_parts import (
    BLOCK,
    LONGEST,
    bits_by_block,
    bits_of,
    pack,
    pack_each,
    part_of_type,
    parts_of,
    parts_to_find,
    places_of,
    repeated_to_find,
    unpack_each,
)


@pytest.mark.parametrize("count", [1, 2, 99, 511, 512, 513, 4000, BLOCK])
def test_places_are_read_as_they_were_written(count: int) -> None:
    places = sorted(random.Random(count).sample(range(BLOCK), count))

    assert places_of(bits_of(pack(places))) == places
    assert len(pack(places)) == min(2 * count, BLOCK // 8)


def test_numbers_of_documents_are_placed_in_their_blocks() -> None:
    numbers = [BLOCK, BLOCK + 7, 3 * BLOCK - 1, 3 * BLOCK + 2]

    bits = bits_by_block(numbers, range(1, 4))

    assert {block: places_of(of_block) for block, of_block in bits.items()} == {1: [0, 7], 2: [BLOCK - 1], 3: [2]}


def test_deleted_places_are_read_as_they_were_written_however_many() -> None:
    places = [BLOCK - 1, *range(BLOCK // 2)]

    assert unpack_each(pack_each(places)) == places


def test_a_name_has_all_parts_of_each_text_in_it() -> None:
    name = b"".join(number.to_bytes(2, "big") for number in (1, 2, 3, 2, 3, 4, 5, 6, 7))
    parts = parts_of(name, "image/png")

    for start in range(0, len(name), 2):
        for end in range(start + 2, len(name) + 1, 2):
            assert parts >= {*parts_to_find(name[start:end])}


def test_a_name_that_has_all_parts_of_a_text_has_the_text_unless_a_pair_within_the_text_is_in_the_name_twice() -> None:
    choose = random.Random(7)
    lacking = 0
    for _ in range(20_000):
        name, text = (
            b"".join(choose.choice((b"\x12\x01", b"\x12\x02", b"\x01\x12")) for _ in range(count))
            for count in (choose.randrange(1, 12), choose.randrange(1, 8))
        )
        parts = parts_of(name, "image/png")
        is_in_name = any(name[start:].startswith(text) for start in range(0, len(name), 2))
        if parts.issuperset(parts_to_find(text)):
            lacking += not is_in_name
            assert is_in_name or parts.intersection(repeated_to_find(text))
        else:
            assert not is_in_name

    assert lacking > 0


def test_the_longest_parts_of_a_text_are_looked_for() -> None:
    text = b"".join(number.to_bytes(2, "big") for number in (1, 2, 3, 4, 1, 2, 3))

    assert parts_to_find(text) == sorted({text[0:6], text[2:8], text[4:10], text[6:12]})
    assert parts_to_find(text[:2]) == [text[:2]]
    assert [part[:4] for part in repeated_to_find(text)] == sorted({text[2:6], text[4:8], text[6:10], text[8:12]})
    assert repeated_to_find(text[:6]) == []


def test_a_content_type_is_no_part_of_a_name() -> None:
    assert len(part_of_type("image/png")) > LONGEST * 2
