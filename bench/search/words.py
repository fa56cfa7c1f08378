"""Words for pages: some are on most of them, most are rare, and some are misread."""

import random
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

SYLLABLES = [
    first + second
    for first in ["b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z", "st", "ch"]
    for second in ["a", "e", "i", "o", "u", "ei", "er", "en"]
]

VOCABULARY = 150_000

WORDS = 250
"""Words of a page: an average of letters, forms and receipts."""

LINE = 10

WRONG_WORDS = 0.05
"""Share of the words in which a letter is wrong: one letter in a hundred, as in a scan that is read fairly well."""

MISREAD = {"m": "rn", "o": "0", "l": "1", "i": "l", "s": "5", "f": "s"}

Numbers = NDArray[np.int32]


class Words:
    """Makes up pages. The word with the number n is about 1 / n as frequent as the first (Zipf's law)."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(1)
        made = {"".join(chance.choices(SYLLABLES, k=chance.randint(1, 5))) for _ in range(2 * VOCABULARY)}
        self.vocabulary = sorted(sorted(made), key=lambda word: len(word) + 4 * chance.random())[:VOCABULARY]
        self._shares = np.cumsum(1 / (np.arange(len(self.vocabulary)) + 3))
        self._random = np.random.default_rng(seed)
        self._chance = random.Random(seed)

    def pages(self, count: int) -> tuple[Numbers, list[str]]:
        """The words of so many pages, as numbers in a list that is given as well: one row for each page."""
        drawn = self._random.random((count, WORDS)) * self._shares[-1]
        numbers = np.searchsorted(self._shares, drawn, side="right").astype(np.int32)
        words = list(self.vocabulary)
        known = {word: number for number, word in enumerate(words)}
        for place in np.argwhere(self._random.random((count, WORDS)) < WRONG_WORDS):
            read = misread(self.vocabulary[numbers[*place]], self._chance)
            number = known.setdefault(read, len(words))
            if number == len(words):
                words.append(read)
            numbers[*place] = number
        return numbers, words


def lines(page: Sequence[str]) -> Iterator[Sequence[str]]:
    """The lines of a page with these words."""
    return (page[first : first + LINE] for first in range(0, len(page), LINE))


def misread(word: str, chance: random.Random) -> str:
    """A word with a wrong letter: one that looks like it, if there is one, else any."""
    place = chance.randrange(len(word))
    wrong = MISREAD.get(word[place]) or chance.choice("abcdefghijklmnopqrstuvwxyz")
    return word[:place] + wrong + word[place + 1 :]
