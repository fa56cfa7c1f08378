"""Makes the rows of a segment of the index, from the texts of pages or from the rows of other segments."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from docserver.search import numbers
from docserver.search.chunks import COMPRESSION, NO_COMPRESSION, TAB, Chunk, KeysPacker, Kind, WordsPacker
from docserver.search.folding import key
from docserver.search.tokens import is_unspaced, surfaces

OFTEN = 3
"""A page has a token often if it has it this many times or more."""

MIN_KEY = 3
"""Letters of the shortest key that can be a neighbour: of one with five letters, of which four may be read as two."""

KEYS_FROM = 64
"""Pages of the smallest segments that get rows of keys. Of smaller ones, a search reads all words: that takes a few
milliseconds, and to write the keys would take half of the time in which a page is indexed."""

Words = Mapping[str, bytes]
"""The names of tokens with the packed lists of their pages."""

Keys = Mapping[str, int]
"""Keys, each with the page that has it if only one has it and not often, else 0."""


def of_texts(texts: Mapping[int, str]) -> Iterator[Chunk]:
    """The rows, without keys, for the texts of pages by their numbers, which are above 0 and ascending."""
    pages: dict[str, bytes] = defaultdict(bytes)
    for number, text in texts.items():
        once, often = numbers.entry(number, often=False), numbers.entry(number, often=True)
        for surface, count in Counter(surfaces(text)).items():
            pages[surface] += often if count >= OFTEN else once
    words = {_name(surface): listed for surface, listed in pages.items()}
    return _rows(WordsPacker(NO_COMPRESSION), words)


def of_words(parts: Sequence[Words], *, dead: Collection[int], with_keys: bool) -> Iterator[Chunk]:
    """The rows of several segments without keys, earliest pages first, as those of one segment. Dead pages are left
    out.
    """
    words = _merged_words(parts, dead)
    yield from _rows(WordsPacker(COMPRESSION), words)
    if with_keys:
        keys = _keys_of(words)
        yield from _rows(KeysPacker(Kind.KEYS, COMPRESSION), keys)
        backwards = {name[::-1]: page for name, page in keys.items()}
        yield from _rows(KeysPacker(Kind.REVERSED_KEYS, COMPRESSION), backwards)


def _rows(packer: WordsPacker | KeysPacker, entries: Mapping[str, Any]) -> Iterator[Chunk]:
    return chain(pack_merged(packer, [entries], dead=()), packer.end())


@lru_cache(maxsize=100_000)
def _name(surface: str) -> str:
    return f"{key(surface)}{TAB}{surface}"


def _keys_of(words: Words) -> dict[str, int]:
    """The keys of words that can be neighbours."""
    keys: dict[str, int] = {}
    for name, listed in words.items():
        of_word, _, surface = name.partition(TAB)
        if len(of_word) >= MIN_KEY and not surface.isdecimal() and (surface.isascii() or not is_unspaced(surface)):
            keys[of_word] = 0 if of_word in keys else numbers.only_page(listed)
    return keys


def packer_of(kind: Kind) -> WordsPacker | KeysPacker:
    """What packs the entries of merged segments."""
    return WordsPacker(COMPRESSION) if kind is Kind.WORDS else KeysPacker(kind, COMPRESSION)


def pack_merged(
    packer: WordsPacker | KeysPacker, parts: Sequence[Mapping[str, Any]], *, dead: Collection[int]
) -> list[Chunk]:
    """The rows that the entries of several segments, earliest pages first, fill as those of one segment. Dead pages are
    left out.
    """
    if isinstance(packer, WordsPacker):
        words = _merged_words(parts, dead)
        names = sorted(words)
        return list(packer.add(names, [numbers.pack(words[name]) for name in names]))
    keys = _merged_keys(parts, dead)
    names = sorted(sorted(keys), key=len)
    return list(packer.add(names, [keys[name] for name in names]))


def _merged_words(parts: Sequence[Words], dead: Collection[int]) -> dict[str, bytes]:
    merged: dict[str, bytes] = {}
    for part in parts:
        some = _living(part, dead) if dead else part
        both = {name: numbers.joined(merged[name], some[name]) for name in merged.keys() & some.keys()}
        merged.update(some)
        merged.update(both)
    return merged


def _living(words: Words, dead: Collection[int]) -> Words:
    """Tokens without dead pages."""
    lists = {name: numbers.without(packed, dead) for name, packed in words.items()}
    return {name: packed for name, packed in lists.items() if packed}


def _merged_keys(parts: Sequence[Keys], dead: Collection[int]) -> dict[str, int]:
    merged: dict[str, int] = {}
    for part in parts:
        some = {name: page for name, page in part.items() if page not in dead} if dead else part
        both = merged.keys() & some.keys()
        merged.update(some)
        merged.update(dict.fromkeys(both, 0))
    return merged
