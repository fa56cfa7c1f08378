"""Reads the text of a query: words, "phrases", beginnings of words (`inv*`), and exclusions (`-word`)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from docserver.search.folding import is_edited, plain
from docserver.search.tokens import is_unspaced, tokens

MAX_CHARACTERS = 500
MAX_WORDS = 20
"""Most words of a query. Each is looked up in each segment of the index."""

MIN_PREFIX = 3
"""Fewest letters of the beginning of a word. Shorter ones begin too many."""

_PART = re.compile(r'(-?)(?:["\u201c\u201d\u201e]([^"\u201c\u201d\u201e]*)["\u201c\u201d\u201e]?|(\S+))')


class InvalidQuery(Exception):
    """The query cannot be answered; the message tells its author why."""


@dataclass(frozen=True, slots=True)
class Word:
    """A token that a query looks for."""

    surface: str
    is_prefix: bool = False
    """True if it is the beginning of a token."""

    @property
    def has_neighbours(self) -> bool:
        """True if it is also found with a wrong letter."""
        return not self.is_prefix and is_edited(self.surface)

    def begins(self, surface: str) -> bool:
        """True if a token begins with it, in any case and with any accents."""
        return plain(surface).startswith(plain(self.surface))


Phrase = tuple[Word, ...]
"""Words that follow one another. A single word is a phrase too."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a page must have, and what it must not have."""

    wanted: tuple[Phrase, ...]
    excluded: tuple[Phrase, ...]

    @property
    def words(self) -> tuple[Word, ...]:
        """All words that a page must have, each once."""
        return tuple(dict.fromkeys(word for phrase in self.wanted for word in phrase))

    @property
    def phrases(self) -> tuple[Phrase, ...]:
        """The phrases of several words that a page must have."""
        return tuple(phrase for phrase in self.wanted if len(phrase) > 1)

    @property
    def excluded_phrases(self) -> tuple[Phrase, ...]:
        """The phrases of several words that a page must not have."""
        return tuple(phrase for phrase in self.excluded if len(phrase) > 1)


def parse(text: str) -> Query:
    """Read a query; raises InvalidQuery."""
    if len(text) > MAX_CHARACTERS:
        raise InvalidQuery(f"At most {MAX_CHARACTERS} characters.")
    wanted: list[Phrase] = []
    excluded: list[Phrase] = []
    for minus, quoted, bare in _PART.findall(text):
        phrase = tuple(_words(quoted or bare))
        if phrase:
            (excluded if minus else wanted).append(phrase)
    if sum(map(len, (*wanted, *excluded))) > MAX_WORDS:
        raise InvalidQuery(f"At most {MAX_WORDS} words; each two letters of Chinese, Japanese or Thai count as one.")
    if not wanted:
        beside = ", beside those it excludes" if excluded else ", of letters or digits"
        raise InvalidQuery(f"A search needs a word to look for{beside}.")
    return Query(tuple(dict.fromkeys(wanted)), tuple(dict.fromkeys(excluded)))


def _words(text: str) -> Iterator[Word]:
    """The words of a part of a query. One that ends with a star is the beginning of a word."""
    for part in text.split():
        found = [token.surface for token in tokens(part)]
        for number, surface in enumerate(found):
            is_last = number == len(found) - 1
            if is_unspaced(surface) and is_last:
                # The last letter of a run stands alone. Unless it is the only one, it is in the pair before.
                if not number or not is_unspaced(found[-2]):
                    yield Word(surface, is_prefix=True)
            elif is_last and part.endswith("*"):
                if len(surface) < MIN_PREFIX:
                    raise InvalidQuery(f"At least {MIN_PREFIX} letters before a star.")
                yield Word(surface, is_prefix=True)
            else:
                yield Word(surface)
