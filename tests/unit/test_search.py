"""The parts of full-text search that need no database: tokens, folding, queries, packed lists, scores and segments."""

import random
from collections.abc import Iterator

import pytest

from docserver.layout import Block, Line, Paragraph, Word, pack_blocks
from docserver.search import chunks, hits, numbers, query, segments, tokens
from docserver.search.chunks import Entry, KeyEntry, Kind
from docserver.search.folding import Likeness, key, likeness, plain
from docserver.search.query import InvalidQuery
from docserver.search.scores import Points


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's a re\u0301sume\u0301, x_y (3.50)", ["It", "s", "a", "résumé", "x", "y", "3", "50"]),
        ("Rech-\nnung", ["Rechnung", "Rech", "nung"]),
        ("Rech\u00ad\n  nung", ["Rechnung", "Rech", "nung"]),
        ("Rech\u00adnung", ["Rechnung"]),
        ("A-\nb 3-\n4 ab-\n\ncd", ["A", "b", "3", "4", "ab", "cd"]),
        ("東京 都\nへ", ["東京", "京都", "都へ", "へ"]),
        ("x東京y", ["x", "東京", "京", "y"]),
        ("ที่นี่", ["ที่นี่", "นี่"]),
        ("हिन्दी العَرَبِيَّة", ["हिन्दी", "العَرَبِيَّة"]),
        ("…!", []),
        ("a" * 50, ["a" * 40]),
    ],
)
def test_tokens_are_words_hyphenated_words_and_pairs_of_letters(text: str, expected: list[str]) -> None:
    assert [token.surface for token in tokens.tokens(text)] == expected
    assert sorted(tokens.surfaces(text)) == sorted(expected)


def test_a_token_says_where_it_stands() -> None:
    text = "Die Rech-\nnung"

    whole = [token for token in tokens.tokens(text) if token.surface == "Rechnung"]

    assert [[text[first:last] for first, last in token.spans] for token in whole] == [["Rech-", "nung"]]
    assert [token.position for token in tokens.tokens(text)] == [0, 1, 1, 1]


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Größe", "grosse"),
        ("ŁÓDŹ", "lodz"),
        ("Ὀδυσσεύς", "οδυσσευσ"),
        ("ﬁle", "file"),
        ("\uff19", "9"),
        ("ไทย", "ไทย"),
        ("شَدّة", "شدة"),
        ("fœtus", "foetus"),
    ],
)
def test_case_accents_and_forms_of_letters_are_folded(written: str, folded: str) -> None:
    assert plain(written) == folded


@pytest.mark.parametrize(
    ("word", "surface", "expected"),
    [
        ("Haus", "Haus", Likeness.EXACT),
        ("Haus", "HAUS", Likeness.FOLDED),
        ("burn", "bum", Likeness.MISREAD),
        ("Ill", "111", Likeness.MISREAD),
        ("S0S", "sos", Likeness.MISREAD),
        ("lefen", "lesen", Likeness.MISREAD),
        ("house", "hause", Likeness.EDITED),
        ("house", "ouse", Likeness.EDITED),
        ("house", "houuse", Likeness.EDITED),
        ("hous", "haus", None),
        ("house", "hauss", None),
        ("invoice", "involve", None),
        ("12345", "12346", None),
        ("self", "sels", None),
        ("東京", "東亰", None),
    ],
)
def test_how_much_a_token_is_like_a_word(word: str, surface: str, expected: Likeness | None) -> None:
    assert likeness(word, surface, fuzzy=True) == expected
    assert likeness(word, surface, fuzzy=False) == (expected if expected in (Likeness.EXACT, Likeness.FOLDED) else None)


def shown(phrases: tuple[query.Phrase, ...]) -> list[str]:
    return [" ".join(f"{word.surface}{'*' if word.is_prefix else ''}" for word in phrase) for phrase in phrases]


@pytest.mark.parametrize(
    ("text", "wanted", "excluded"),
    [
        ("net total", ["net", "total"], []),
        ('"net total" -draft', ["net total"], ["draft"]),
        ('net -"not this', ["net"], ["not this"]),
        ("“net total” inv*", ["net total", "inv*"], []),
        ("well-known 3.50", ["well known", "3 50"], []),
        ("東京都 京", ["東京 京都", "京*"], []),
        ("net net - & *", ["net"], []),
    ],
)
def test_a_query_has_words_phrases_beginnings_and_exclusions(text: str, wanted: list[str], excluded: list[str]) -> None:
    parsed = query.parse(text)

    assert (shown(parsed.wanted), shown(parsed.excluded)) == (wanted, excluded)


@pytest.mark.parametrize("text", ["", "-no", '""', "ab*", "x" * 501, "a " * 21])
def test_a_query_that_says_nothing_or_too_much_is_refused(text: str) -> None:
    with pytest.raises(InvalidQuery):
        query.parse(text)


@pytest.mark.parametrize("step", [1, 3, 50])
def test_packed_numbers_are_the_same_unpacked_joined_and_as_a_set(step: int) -> None:
    first, second = range(7, 500, step), range(501, 900, step)
    packed = [numbers.pack(first), numbers.pack(second)]

    assert [list(numbers.unpack(each)) for each in packed] == [list(first), list(second)]
    assert list(numbers.unpack(numbers.joined(packed))) == [*first, *second]
    pages = numbers.Pages()
    for each in packed:
        pages.add(each)
    pages.add_number(5000)
    assert list(numbers.descending(pages.as_set())) == [5000, *reversed(second), *reversed(first)]


def test_points_add_up_and_the_best_pages_come_first_after_any_place() -> None:
    choose = random.Random(1)
    points, expected = Points(), dict.fromkeys(range(1, 300), 0)
    for _ in range(6):
        given, some = choose.randint(1, 9), choose.sample(range(1, 300), 120)
        points.add(given, numbers.set_of(some))
        for number in some:
            expected[number] += given
    ordered = sorted(((total, number) for number, total in expected.items()), reverse=True)

    assert list(points.best(numbers.set_of(list(expected)), after=None)) == ordered
    assert list(points.best(numbers.set_of(list(expected)), after=ordered[99])) == ordered[100:]


def texts(count: int) -> dict[int, str]:
    choose = random.Random(2)
    return {
        number: " ".join("".join(choose.choices("abcdeilo", k=choose.randint(1, 7))) for _ in range(100))
        for number in range(1, count + 1)
    }


def entries(some: list[chunks.Chunk]) -> tuple[list[Entry], dict[Kind, list[KeyEntry]]]:
    words = [entry for chunk in some if chunk.kind is Kind.WORDS for entry in chunks.unpack_words(chunk.data)]
    keys = {
        kind: [entry for chunk in some if chunk.kind is kind for entry in chunks.unpack_keys(chunk.data)]
        for kind in (Kind.KEYS, Kind.REVERSED_KEYS)
    }
    return words, keys


def packed_again(words: list[Entry], keys: dict[Kind, list[KeyEntry]]) -> Iterator[chunks.Chunk]:
    packer = chunks.WordsPacker()
    yield from (*packer.add(words), *packer.end())
    for kind, of_kind in keys.items():
        keys_packer = chunks.KeysPacker(kind)
        yield from (*keys_packer.add(of_kind), *keys_packer.end())


def test_merged_segments_are_like_one_that_was_made_of_all_pages() -> None:
    whole = texts(60)
    parts = [{number: whole[number] for number in span} for span in (range(1, 8), range(8, 41), range(41, 61))]

    split = [entries(list(segments.of_texts(part))) for part in parts]
    words = segments.merged_words((entry for part, _ in split for entry in part), is_alive=None)
    keys = {
        kind: segments.merged_keys((entry for _, part in split for entry in part[kind]), is_alive=None)
        for kind in (Kind.KEYS, Kind.REVERSED_KEYS)
    }

    assert entries(list(packed_again(words, keys))) == entries(list(segments.of_texts(whole)))


def test_pages_that_are_gone_are_left_out_of_merged_segments() -> None:
    whole = texts(20)
    words, keys = entries(list(segments.of_texts(whole)))

    left = segments.merged_words(words, is_alive=lambda number: number > 10)

    expected, _ = entries(list(segments.of_texts({number: whole[number] for number in range(11, 21)})))
    assert left == expected
    assert all(
        entry.page > 10 or not entry.page for entry in segments.merged_keys(keys[Kind.KEYS], is_alive=(10).__lt__)
    )


def test_rows_of_keys_find_what_begins_alike() -> None:
    names = sorted(chunks.key_order(name, Kind.KEYS) for name in ("abc", "abd", "bcd", "abcd", "zab", "ábc"))
    packer = chunks.KeysPacker(Kind.KEYS)
    (row,) = (*packer.add(KeyEntry(name, page) for page, name in enumerate(names)), *packer.end())

    found = {name.decode(): names[page][1:].decode() for name, page in chunks.keys_beginning_with(row.data, b"ab")}

    assert found == {"abc": "abc", "abd": "abd", "abcd": "abcd"}
    assert list(chunks.keys_beginning_with(row.data, b"x")) == []


def test_all_entries_of_a_key_are_in_one_row() -> None:
    packer = chunks.WordsPacker()
    long = numbers.pack(range(1, 40_000, 9))
    some = [Entry(key(name), name, long, b"") for name in ("a", "A", "b", "B")]

    rows = [*packer.add(some), *packer.end()]

    assert [[entry.surface for entry in chunks.unpack_words(row.data)] for row in rows] == [["a", "A"], ["b", "B"]]


def test_what_is_found_of_a_page_is_listed_with_its_boxes_once() -> None:
    line = Line((0, 0, 90, 10), (Word("net-total", (0, 0, 40, 10), 90.0), Word("net", (50, 0, 90, 10), 90.0)))
    layout = pack_blocks((Block((0, 0, 90, 10), (Paragraph((0, 0, 90, 10), (line,)),)),))

    match = hits.Matcher(query.parse("net total"), fuzzy=True).match(layout)

    assert match
    assert match.snippet == "<mark>net</mark>-<mark>total</mark> <mark>net</mark>"
    assert [(hit.text, list(hit.box)) for hit in match.hits] == [
        ("net-total", [0, 0, 40, 10]),
        ("net", [50, 0, 90, 10]),
    ]
    assert hits.Matcher(query.parse("gross"), fuzzy=True).match(layout) is None
