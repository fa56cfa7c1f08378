"""Finds the words of a query on a page, with their boxes, and makes a snippet of its text."""

import html
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from docserver.layout import unpack_words
from docserver.search.folding import is_edited, key, likeness
from docserver.search.query import Query, Word
from docserver.search.screening import Screen, plain_forms
from docserver.search.tokens import Token, are_simple, first_letter, is_unspaced, simple_tokens, surfaces, tokens

MAX_HITS = 100
"""Most hits of a page that are listed."""

SNIPPET = 200
"""About how many characters of the text a snippet has."""

BEFORE = 50
"""How many of them stand before the first hit."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A word of the page that is a word of the query, or a part of one."""

    text: str
    box: Sequence[int]
    line_box: Sequence[int]


@dataclass(frozen=True, slots=True)
class Match:
    """What of a query was found on a page."""

    snippet: str
    """HTML: a part of the text, with marks around what was found."""
    hits: tuple[Hit, ...]


class PageText:
    """The text of a page, as `layout.text_of` makes it, and which word stands where in it."""

    def __init__(self, layout: bytes) -> None:
        paragraphs: list[str] = []
        self.starts: list[int] = []
        self.words: list[tuple[str, Sequence[int], Sequence[int]]] = []
        at = 0
        for lines in unpack_words(layout):
            for line_box, words in lines:
                for text, box, _ in words:
                    self.starts.append(at)
                    self.words.append((text, box, line_box))
                    at += len(text) + 1
            paragraphs.append("\n".join(" ".join(word[0] for word in words) for _, words in lines))
            at += 1
        self.text = "\n\n".join(paragraphs)

    def words_of(self, span: tuple[int, int]) -> Iterator[int]:
        """The numbers of the words that a part of the text belongs to."""
        number = bisect_right(self.starts, span[0]) - 1
        while number < len(self.starts) and self.starts[number] < span[1]:
            yield number
            number += 1


class Matcher:
    """Finds the words of a query on pages. It remembers comparisons, because most tokens are on many pages."""

    def __init__(self, query: Query, *, fuzzy: bool) -> None:
        words = {word: _Like(word, fuzzy=fuzzy) for word in query.words}
        self._wanted = [[words[word] for word in phrase] for phrase in query.wanted]
        self._excluded = [[_Like(word, fuzzy=False) for word in phrase] for phrase in query.excluded_phrases]
        self._wanted_screens = [Screen(phrase, fuzzy=fuzzy) for phrase in query.wanted]
        self._excluded_screens = [Screen(phrase, fuzzy=False) for phrase in query.excluded_phrases]

    def has_phrases(self, text: str) -> bool:
        """True if a page with this text has the words and phrases of the query, and no phrase that is excluded."""
        forms = plain_forms(text)
        if not all(screen.passes(forms) for screen in self._wanted_screens):
            return False
        found, positions, _ = _tokens(text)
        return all(_occurrences(found, positions, phrase) for phrase in self._wanted) and not any(
            screen.passes(forms) and _occurrences(found, positions, phrase)
            for screen, phrase in zip(self._excluded_screens, self._excluded, strict=True)
        )

    def match(self, layout: bytes) -> Match | None:
        """What of the query is on a page; None if a part of the query is missing."""
        page = PageText(layout)
        written, positions, whole = _tokens(page.text)
        hit: dict[int, bool] = {}
        for phrase in self._wanted:
            of_phrase = _occurrences(written, positions, phrase)
            if not of_phrase:
                return None
            for place, is_letter in of_phrase.items():
                hit[place] = is_letter and hit.get(place, True)
        places = sorted(hit)
        if whole:
            marked = [first_letter(page.text, whole[place]) if hit[place] else whole[place] for place in places]
        else:
            marked = simple_tokens(page.text, places)
        numbers = dict.fromkeys(number for token in marked for span in token.spans for number in page.words_of(span))
        hits = tuple(Hit(*page.words[number]) for number in list(numbers)[:MAX_HITS])
        return Match(_snippet(page.text, marked), hits)


def _tokens(text: str) -> tuple[Sequence[str], Sequence[int], Sequence[Token]]:
    """The surfaces and positions of the tokens of a text, and the tokens themselves unless they are simple."""
    if are_simple(text):
        found = surfaces(text)
        return found, range(len(found)), ()
    whole = list(tokens(text))
    return [token.surface for token in whole], [token.position for token in whole], whole


class _Like(dict[str, bool]):
    """Which tokens are like a word. A dictionary, because hundreds of thousands are asked for to find a phrase."""

    def __init__(self, word: Word, *, fuzzy: bool) -> None:
        super().__init__()
        self._word, self._fuzzy = word, fuzzy
        self.is_letter = word.is_prefix and is_unspaced(word.surface)
        """True if it is a letter of a script without spaces, which is found as the first of a pair."""
        name = key(word.surface)
        half = len(name) // 2 if is_edited(word.surface) else len(name)
        self._first, self._second = name[:half], name[half:]

    def __missing__(self, surface: str) -> bool:
        word = self._word
        self[surface] = is_like = (
            word.begins(surface)
            if word.is_prefix
            else self._may_be(key(surface)) and likeness(word.surface, surface, fuzzy=self._fuzzy) is not None
        )
        return is_like

    def _may_be(self, name: str) -> bool:
        """False if a token with this key is not like the word: one half of a misread word is right."""
        return name.startswith(self._first) or (self._second != "" and name.endswith(self._second))


def _occurrences(found: Sequence[str], positions: Sequence[int], phrase: Sequence[_Like]) -> dict[int, bool]:
    """The places of all tokens that belong to an occurrence of a phrase; True if only its first letter does."""
    first = set(filter(phrase[0].__getitem__, set(found)))
    places: dict[int, bool] = {}
    for start in [place for place, surface in enumerate(found) if surface in first] if first else ():
        run = [start]
        for like in phrase[1:]:
            following = _next(found, positions, run[-1], like)
            if following is None:
                break
            run.append(following)
        else:
            for place, like in zip(run, phrase, strict=True):
                places[place] = like.is_letter and places.get(place, True)
    return places


def _next(found: Sequence[str], positions: Sequence[int], place: int, like: _Like) -> int | None:
    """The place of a token that follows and is like a word; the parts of a hyphenated word follow one another, too."""
    for following in range(place + 1, min(place + 5, len(found))):
        if positions[following] > positions[place] + 1:
            return None
        if like[found[following]]:
            return following
    return None


def _snippet(text: str, marked: Sequence[Token]) -> str:
    """The part of the text with the most different words of the query, or the first of several."""
    starts = [token.spans[0][0] for token in marked]
    reach = SNIPPET - 2 * BEFORE
    best = max(
        range(len(marked)),
        key=lambda place: len({t.surface for t in marked[place : bisect_right(starts, starts[place] + reach)]}),
    )
    begin, end = _bounds(text, starts[best] - BEFORE, starts[best] + SNIPPET - BEFORE)
    spans = _merged(span for token in marked for span in token.spans)
    shown, at = "", begin
    for first, last in spans:
        if begin <= first and last <= end:
            shown += f"{_plain(text[at:first])}<mark>{html.escape(text[first:last], quote=False)}</mark>"
            at = last
    shown += _plain(text[at:end])
    before, after = ("… " if text[:begin].strip() else ""), (" …" if text[end:].strip() else "")
    return f"{before}{shown.strip()}{after}"


def _bounds(text: str, begin: int, end: int) -> tuple[int, int]:
    """A part of the text that begins and ends between words, if there is a space nearby."""
    if begin > 0:
        space = max(text.find(" ", begin, begin + 20), text.find("\n", begin, begin + 20))
        begin = space + 1 if space >= 0 else begin
    if end < len(text):
        space = max(text.rfind(" ", end - 20, end), text.rfind("\n", end - 20, end))
        end = space if space >= 0 else end
    return max(0, begin), min(len(text), end)


def _merged(spans: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    """The parts of the text, in order; those that touch or overlap as one."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(set(spans)):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _plain(text: str) -> str:
    return html.escape(" ".join(f"|{text}|".split())[1:-1], quote=False)
