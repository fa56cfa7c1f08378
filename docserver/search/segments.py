"""Makes the rows of a segment of the index, from the texts of pages or from the rows of other segments."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain

from docserver.search import numbers
from docserver.search.chunks import COMPRESSION, NO_COMPRESSION, TAB, Chunk, Kind, Packer
from docserver.search.folding import key
from docserver.search.tokens import is_unspaced, surfaces

OFTEN = 3
"""A page has a token often if it has it this many times or more."""

MIN_KEY = 3
"""Letters of the shortest key that can be a neighbour: of one with five letters, of which four may be read as two."""

KEYS_FROM = 64
"""Pages of the smallest segments that get rows of keys. Of smaller ones, a search reads all words: that takes a few
milliseconds, and to write the keys would take half of the time in which a page is indexed."""

LISTED_BYTES = 4 * 8
"""Longest list beside a key: eight pages. Most neighbours of a word are misread ones, on a few pages of a segment each,
and are found without a look at their words."""

Lists = Mapping[str, bytes]
"""The names of tokens with the packed lists of their pages; or keys with theirs if these are short, else with none."""


def of_texts(texts: Mapping[int, str]) -> Iterator[Chunk]:
    """The rows, without keys, for the texts of pages by their numbers, which are above 0 and ascending."""
    pages: dict[str, bytes] = defaultdict(bytes)
    for number, text in texts.items():
        once, often = numbers.entry(number, often=False), numbers.entry(number, often=True)
        for surface, count in Counter(surfaces(text)).items():
            pages[surface] += often if count >= OFTEN else once
    words = {_name(surface): listed for surface, listed in pages.items()}
    return _rows(Packer(Kind.WORDS, NO_COMPRESSION), words)


def of_words(parts: Sequence[Lists], *, dead: Collection[int], with_keys: bool) -> Iterator[Chunk]:
    """The rows of several segments without keys, earliest pages first, as those of one segment. Dead pages are left
    out.
    """
    words = _merged_words(parts, dead)
    yield from _rows(packer_of(Kind.WORDS), words)
    if with_keys:
        keys = _keys_of(words)
        yield from _rows(packer_of(Kind.KEYS), keys)
        yield from _rows(packer_of(Kind.REVERSED_KEYS), {name[::-1]: listed for name, listed in keys.items()})


def _rows(packer: Packer, entries: Lists) -> Iterator[Chunk]:
    return chain(pack_merged(packer, [entries], dead=()), packer.end())


@lru_cache(maxsize=100_000)
def _name(surface: str) -> str:
    return f"{key(surface)}{TAB}{surface}"


def _keys_of(words: Lists) -> dict[str, bytes]:
    """The keys of words that can be neighbours."""
    keys: dict[str, bytes] = {}
    for name, listed in words.items():
        of_word, _, surface = name.partition(TAB)
        if len(of_word) >= MIN_KEY and not surface.isdecimal() and (surface.isascii() or not is_unspaced(surface)):
            short = listed if len(listed) <= LISTED_BYTES else b""
            keys[of_word] = _together(keys[of_word], short) if of_word in keys else short
    return keys


def _together(one: bytes, other: bytes) -> bytes:
    """The list of a key, from the lists of two of its words."""
    both = numbers.united(one, other) if one and other else b""
    return both if len(both) <= LISTED_BYTES else b""


def packer_of(kind: Kind) -> Packer:
    """What packs the entries of merged segments."""
    return Packer(kind, COMPRESSION)


def pack_merged(packer: Packer, parts: Sequence[Lists], *, dead: Collection[int]) -> list[Chunk]:
    """The rows that the entries of several segments, earliest pages first, fill as those of one segment. Dead pages are
    left out.
    """
    if packer.kind is Kind.WORDS:
        words = _merged_words(parts, dead)
        names = sorted(words)
        return list(packer.add(names, [numbers.pack(words[name]) for name in names]))
    keys = _merged_keys(parts, dead)
    names = sorted(sorted(keys), key=len)
    return list(packer.add(names, [keys[name] for name in names]))


def _merged_words(parts: Sequence[Lists], dead: Collection[int]) -> dict[str, bytes]:
    merged: dict[str, bytes] = {}
    for part in parts:
        some = _living(part, dead) if dead else part
        both = {name: numbers.joined(merged[name], some[name]) for name in merged.keys() & some.keys()}
        merged.update(some)
        merged.update(both)
    return merged


def _living(entries: Lists, dead: Collection[int]) -> Lists:
    """Entries without dead pages. Keys without a list stay."""
    lists = {name: numbers.without(packed, dead) for name, packed in entries.items()}
    return {name: packed for name, packed in lists.items() if packed or not entries[name]}


def _merged_keys(parts: Sequence[Lists], dead: Collection[int]) -> dict[str, bytes]:
    merged: dict[str, bytes] = {}
    for part in parts:
        some = _living(part, dead) if dead else part
        both = {name: _following(merged[name], some[name]) for name in merged.keys() & some.keys()}
        merged.update(some)
        merged.update(both)
    return merged


def _following(one: bytes, other: bytes) -> bytes:
    """The list of a key, from its lists in two segments that follow one another."""
    return one + other if one and other and len(one) + len(other) <= LISTED_BYTES else b""
