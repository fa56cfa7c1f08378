"""The parts of full-text search that need no database: tokens, folding, queries, packed lists, scores and segments."""

import random
from collections.abc import Iterable, Iterator, Mapping

import pytest

from docserver.layout import Block, Line, Paragraph, Word, pack_blocks
from docserver.search import chunks, folding, hits, numbers, query, segments, tokens
from docserver.search.chunks import Entries, Kind, Packer
from docserver.search.folding import Likeness, edited, edited_rest, likeness, plain
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
        ("invoise", "INVOICE", Likeness.EDITED),
        ("ORDINERY", "ordinary", Likeness.EDITED),
        ("windows", "WINDDWS", Likeness.EDITED),
        ("invoice", "INVOLVE", None),
        ("delivery", "delixexy", Likeness.EDITED),
        ("delivery", "xxlivery", Likeness.EDITED),
        ("delivery", "xelivexy", None),
        ("delivery", "deloxxry", None),
        ("delivery", "deliveyr", Likeness.EDITED),
        ("delivery", "delixr", None),
        ("contract", "compact", None),
        ("договоры", "догогары", Likeness.EDITED),
        ("12345678", "12345699", None),
        ("12345", "12346", None),
        ("self", "sels", None),
        ("東京", "東亰", None),
        ("сумма", "cym\u043c\u0430", Likeness.MISREAD),
        ("τιμή", "τιμη", Likeness.FOLDED),
        ("νόμος", "vόμoς", Likeness.MISREAD),
        ("нет", "HeT", None),
        ("Lieferung", "Liefßrung", Likeness.EDITED),
        ("Straße", "StraBe", Likeness.EDITED),
        ("Masse", "Mase", Likeness.EDITED),
        ("dass", "das", None),
        ("miss", "mifs", Likeness.MISREAD),
        ("possession", "poffeffion", Likeness.MISREAD),
        ("file", "FlLE", Likeness.MISREAD),
        ("Wife", "W1FE", Likeness.MISREAD),
        ("bill", "B1LL", Likeness.MISREAD),
        ("file", "flle", None),
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


def listed(pages: Iterable[int]) -> bytes:
    return numbers.pack(b"".join(numbers.entry(page, often=page % 2 > 0) for page in pages))


@pytest.mark.parametrize("step", [1, 3, 50])
def test_lists_of_pages_are_the_same_packed_joined_and_as_sets(step: int) -> None:
    first, second = range(7, 9000, step), range(9001, 29000, step)
    parts = [listed(first), listed(second)]

    assert [numbers.pages_of(part) for part in parts] == [list(first), list(second)]
    whole = numbers.pack(numbers.joined(*parts))
    assert numbers.pages_of(whole) == [*first, *second]
    assert len(whole) < 4 * len((*first, *second)) or step == 50
    assert numbers.pages_of(numbers.without(whole, {7, 9001})) == [*first[1:], *second[1:]]
    pages = numbers.Pages()
    for part in parts:
        pages.add(part)
    pages.add_set(1 << 50_000)
    assert list(numbers.descending(pages.all())) == [50_000, *reversed(second), *reversed(first)]
    assert sorted(numbers.descending(pages.often())) == [page for page in (*first, *second) if page % 2]


def test_a_list_of_few_pages_far_apart_has_four_bytes_for_each() -> None:
    dense, far = listed(range(1, 400)), listed(range(10_000, 100_000, 30_000))

    assert len(dense) < 4 * 399
    assert len(numbers.joined(dense, far)) == 4 * 402


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
    above = ordered[50][0]
    assert list(points.best(numbers.set_of(list(expected)), after=None, above=above)) == [
        pair for pair in ordered if pair[0] > above
    ]


def texts(count: int) -> dict[int, str]:
    choose = random.Random(2)
    return {
        number: " ".join("".join(choose.choices("abcdeilo", k=choose.randint(1, 7))) for _ in range(100))
        for number in range(1, count + 1)
    }


def entries(some: Iterable[chunks.Chunk]) -> dict[Kind, dict[str, bytes]]:
    unpacked: dict[Kind, dict[str, bytes]] = {kind: {} for kind in Kind}
    for chunk in some:
        unpacked[chunk.kind].update(zip(*Entries(chunk.data).all(), strict=True))
    return unpacked


def with_keys(some: Mapping[int, str]) -> dict[Kind, dict[str, bytes]]:
    words = entries(segments.of_texts(some))[Kind.WORDS]
    return entries(segments.of_words([words], dead=(), with_keys=True))


def merged(parts: list[dict[Kind, dict[str, bytes]]], *, dead: set[int]) -> Iterator[chunks.Chunk]:
    for kind in Kind:
        packer = segments.packer_of(kind)
        yield from segments.pack_merged(packer, [part[kind] for part in parts], dead=dead)
        yield from packer.end()


def test_merged_segments_are_like_one_that_was_made_of_all_pages() -> None:
    whole = texts(300)
    parts = [{number: whole[number] for number in span} for span in (range(1, 80), range(80, 150), range(150, 301))]

    rows = list(merged([with_keys(part) for part in parts], dead=set()))

    expected = with_keys(whole)
    assert {kind: list(some.items()) for kind, some in entries(rows).items()} == {
        kind: list(some.items()) for kind, some in expected.items()
    }
    assert [row.first for row in rows if row.kind is Kind.WORDS] == sorted(
        row.first for row in rows if row.kind is Kind.WORDS
    )


def test_pages_that_are_gone_are_left_out_of_merged_segments() -> None:
    whole = texts(200)

    left = entries(merged([with_keys(whole)], dead=set(range(1, 101))))

    expected = with_keys({number: whole[number] for number in range(101, 201)})
    assert left[Kind.WORDS] == expected[Kind.WORDS]
    assert all(page > 100 for listed in left[Kind.KEYS].values() for page in numbers.pages_of(listed))


def test_rows_of_keys_find_what_differs_in_one_letter_of_the_second_part() -> None:
    names = sorted(
        ("abcd", "abce", "abc", "abdd", "abde", "abcde", "xbcd", "abed", "ábcd"), key=lambda name: (len(name), name)
    )
    packer = Packer(Kind.KEYS, chunks.COMPRESSION)
    (row,) = (*packer.add(names, [listed([page]) for page in range(len(names))]), *packer.end())

    found = {name: names[numbers.pages_of(some)[0]] for name, some in Entries(row.data).like(edited_rest("ab", "cd"))}

    assert found == {name: name for name in ("abcd", "abce", "abc", "abdd", "abcde", "abed")}
    assert list(Entries(row.data).like(edited_rest("x", "yz"))) == []


def test_keys_have_the_pages_of_their_words_unless_these_are_many() -> None:
    few, many = range(1, 5), range(5, 14)
    words = {"mouse\tMouse": listed(few), "mouse\tmouse": listed([2, 6]), "house\thouse": listed(many)}

    rows = entries(segments.of_words([words], dead=(), with_keys=True))

    assert {name: numbers.pages_of(some) for name, some in rows[Kind.KEYS].items()} == {
        "mouse": [*few, 6],
        "house": [],
    }
    assert rows[Kind.REVERSED_KEYS] == {name[::-1]: some for name, some in rows[Kind.KEYS].items()}


@pytest.mark.parametrize("length", [range(2, 5), range(7, 10)])
@pytest.mark.parametrize("number", range(3))
def test_patterns_match_the_neighbours_of_a_key(number: int, length: range) -> None:
    choose = random.Random(number)
    words = ["".join(choose.choices("ab.", k=choose.choice(length))) for _ in range(60 * length.start)]

    for word in words:
        half = len(word) // 2
        near = {other for other in words if folding.are_neighbours(word, other)}
        lines = "".join(f"\n{other}" for other in words) + "\n"
        forwards = {found[1:] for found in edited_rest(word[:half], word[half:]).findall(lines)}
        backwards = {found[1:] for found in edited_rest(word[half:][::-1], word[:half][::-1]).findall(lines[::-1])}
        anywhere = edited(word[:half], word[half:]).findall(lines.replace("\n", "\t\n"))
        assert {found[1:] for found in anywhere} == near
        assert forwards | {found[::-1] for found in backwards} == near


def test_all_tokens_of_a_key_are_in_one_row() -> None:
    packer = Packer(Kind.WORDS, chunks.NO_COMPRESSION)
    long = listed(range(1, 40_000, 9))

    rows = [*packer.add(["a\tA", "a\ta", "b\tB"], [long] * 3), *packer.add(["b\tb"], [long]), *packer.end()]

    assert [Entries(row.data).all()[0] for row in rows] == [["a\tA", "a\ta"], ["b\tB", "b\tb"]]
    assert [(row.first_key, row.last_key) for row in map(Entries, [row.data for row in rows])] == [
        ("a", "a"),
        ("b", "b"),
    ]
    assert list(Entries(rows[0].data).beginning("a\ta")) == [("a", long)]
    assert list(Entries(rows[0].data).beginning("b")) == []


@pytest.mark.parametrize("number", range(4))
def test_a_text_has_a_phrase_if_words_like_it_follow_one_another(number: int) -> None:
    choose = random.Random(number)
    words = [
        "Straße",
        "сумма",
        "Ελλάδα",
        "modern",
        "net",
        "fœtus",
        "self",
        "x_y",
        "m²",
        "Acme™",
        "किताब",
        "invoice",
        "internet",
    ]
    found = 0

    for _ in range(400):
        wanted = choose.sample(words, choose.randint(2, 3))
        read = choose.choice([" ", ", ", "-", "_"]).join(changed(word, choose) for word in wanted)
        text = f"an {read}{choose.choice([' ', '. ', '™ '])}{choose.choice(words)}"
        parsed, fuzzy = query.parse(f'"{" ".join(wanted)}"'), choose.random() < 0.7
        has_phrase = follow_one_another(parsed.wanted[0], [token.surface for token in tokens.tokens(text)], fuzzy=fuzzy)
        assert hits.Matcher(parsed, fuzzy=fuzzy).has_phrases(text) == has_phrase, text
        found += has_phrase

    assert 100 < found < 300


@pytest.mark.parametrize("phrase", ["der Rechnung vom", "Rechnung vom Mai", "nung vom", "der Rech nung vom"])
def test_a_phrase_may_have_a_hyphenated_word_or_its_parts(phrase: str) -> None:
    matcher = hits.Matcher(query.parse(f'"{phrase}"'), fuzzy=True)

    assert matcher.has_phrases("auf der Rech-\nnung vom Mai")
    assert not matcher.has_phrases("auf der Rech-\nnung zum Mai, der Zeichnung vom")


def changed(word: str, choose: random.Random) -> str:
    """A word that is perhaps written in capitals, or with another letter."""
    at = choose.randrange(len(word))
    other = choose.choice(["a", "s", "ß", "m", "rn", "ss", "1", "l", "0", "\u0441", "\u03b9", "ﬁ", "é", "\u00ad"])
    wrong = word[:at] + other + word[at + choose.randint(0, 1) :]
    return choose.choice([word, word, word.upper(), wrong])


def follow_one_another(phrase: query.Phrase, found: list[str], *, fuzzy: bool) -> bool:
    """True if words like those of a phrase follow one another somewhere."""
    return any(
        all(likeness(word.surface, surface, fuzzy=fuzzy) for word, surface in zip(phrase, found[start:], strict=False))
        for start in range(len(found) - len(phrase) + 1)
    )


def page_of(*words: str) -> bytes:
    """A page with a line of words, each with a box of its own."""
    line = Line((0, 0, 90, 10), tuple(Word(text, (at, 0, at + 40, 10), 90.0) for at, text in enumerate(words)))
    return pack_blocks((Block((0, 0, 90, 10), (Paragraph((0, 0, 90, 10), (line,)),)),))


@pytest.mark.parametrize(
    ("wanted", "words", "snippet", "hits_of"),
    [
        ("税", ["含税金额"], "含<mark>税</mark>金额", ["含税金额"]),
        ("税金", ["含税金额"], "含<mark>税金</mark>额", ["含税金额"]),
        ("税 税金", ["含税金额", "税率"], "含<mark>税金</mark>额 <mark>税</mark>率", ["含税金额", "税率"]),
        ("発票", ["発", "票番号"], "<mark>発</mark> <mark>票</mark>番号", ["発", "票番号"]),
        ("発", ["発", "票番号"], "<mark>発</mark> 票番号", ["発"]),
        ("請求書", ["御請求書在中"], "御<mark>請求書</mark>在中", ["御請求書在中"]),
        ("カ", ["カード"], "<mark>カ</mark>ード", ["カード"]),
        ("ガ", ["カ\u3099スは"], "<mark>カ\u3099</mark>スは", ["カ\u3099スは"]),
        ("A税", ["A税金"], "<mark>A税</mark>金", ["A税金"]),
        ("ที่", ["ภาษาไทยที่บ้าน"], "ภาษาไทย<mark>ที่</mark>บ้าน", ["ภาษาไทยที่บ้าน"]),
        ("ไทย", ["ภาษาไทยที่บ้าน"], "ภาษา<mark>ไทย</mark>ที่บ้าน", ["ภาษาไทยที่บ้าน"]),
        ("บ", ["ภาษาไทยที่บ้าน"], "ภาษาไทยที่<mark>บ้</mark>าน", ["ภาษาไทยที่บ้าน"]),
        ("税*", ["含税金额"], "含<mark>税</mark>金额", ["含税金额"]),
    ],
)
def test_what_is_marked_in_scripts_without_spaces_is_what_was_found_and_no_letter_more(
    wanted: str, words: list[str], snippet: str, hits_of: list[str]
) -> None:
    match = hits.Matcher(query.parse(wanted), fuzzy=True).match(page_of(*words))

    assert match
    assert match.snippet == snippet
    assert [hit.text for hit in match.hits] == hits_of


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
