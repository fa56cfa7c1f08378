"""Words for pages: some are on most of them, most are rare, and some are misread."""

import random
from itertools import accumulate

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


class Words:
    """Makes up pages. The word with the number n is about 1 / n as frequent as the first (Zipf's law)."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(1)
        made = {"".join(chance.choices(SYLLABLES, k=chance.randint(1, 5))) for _ in range(2 * VOCABULARY)}
        self.vocabulary = sorted(sorted(made), key=lambda word: len(word) + 4 * chance.random())[:VOCABULARY]
        self._weights = list(accumulate(1 / (number + 3) for number in range(len(self.vocabulary))))
        self._chance = random.Random(seed)

    def page(self) -> list[list[str]]:
        """The lines of a page."""
        words = self._chance.choices(self.vocabulary, cum_weights=self._weights, k=WORDS)
        read = [misread(word, self._chance) if self._chance.random() < WRONG_WORDS else word for word in words]
        return [read[first : first + LINE] for first in range(0, WORDS, LINE)]


def misread(word: str, chance: random.Random) -> str:
    """A word with a wrong letter: one that looks like it, if there is one, else any."""
    place = chance.randrange(len(word))
    wrong = MISREAD.get(word[place]) or chance.choice("abcdefghijklmnopqrstuvwxyz")
    return word[:place] + wrong + word[place + 1 :]
