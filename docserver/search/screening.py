"""Tells, in a small part of the time of a comparison, that a text does not have a phrase."""

import re
from collections.abc import Sequence
from itertools import pairwise

from docserver.search.folding import are_neighbours, is_edited, key, keyed_like, plain, plain_text
from docserver.search.query import Phrase, Word
from docserver.search.tokens import INVISIBLE, MAX_LETTERS, are_simple, has_unspaced, with_whole_words

_SEPARATORS = re.compile("[^\\w\u0000-\u007f\u0300-\u036f]")
"""Signs that are no letters, of which some, such as ™, are letters in plain text. They end words."""

_OTHER_SCRIPTS = re.compile("[^\u0000-\u0482\u048a-\u0590\u1e00-\u2bff]")
"""What is not Latin, Greek, Cyrillic or Armenian. Plain text of these has no marks: its words are runs of letters."""


class Screen:
    """A phrase that texts perhaps have."""

    def __init__(self, phrase: Phrase, *, fuzzy: bool) -> None:
        words = [_LikeWord(word, fuzzy=fuzzy) for word in phrase]
        # The patterns do not begin with \b: the search for a letter skips most of a text, that for \b tries each place.
        self._parts: list[tuple[re.Pattern[str], tuple[_LikeWord, ...]]] = [
            (re.compile(rf"({first.ending})\b\W+(?=({second.pattern})\b)"), (first, second))
            for first, second in pairwise(words)
        ]
        if len(words) == 1:
            self._parts.append((re.compile(rf"({words[0].ending})\b"), (words[0],)))
        self._is_cut = any(len(word.surface) >= MAX_LETTERS - 1 for word in phrase)
        """Of a token that was cut, the text has more."""

    def passes(self, plain_forms: Sequence[str]) -> bool:
        """False if a text with these `plain_forms` does not have the phrase."""
        if self._is_cut or not plain_forms:
            return True
        return all(any(_has(form, *part) for form in plain_forms) for part in self._parts)


class _LikeWord(dict[str, bool]):
    """Which plain tokens may be like a word. It remembers them."""

    def __init__(self, word: Word, *, fuzzy: bool) -> None:
        super().__init__()
        self.ending = re.escape(plain(word.surface))
        """Matches the end of each token that may be like the word."""
        self._key: str | None = None
        if word.is_prefix:
            self.ending += r"\w*"
        self.pattern = self.ending
        """Matches the whole of each token that may be like the word."""
        if fuzzy and not word.is_prefix:
            self._key = key(word.surface)
            letters = [keyed_like(letter) for letter in self._key]
            half = len(letters) // 2
            first, second = "".join(letters[:half]), "".join(letters[half:])
            # One half of a misread word is right.
            is_whole = not is_edited(word.surface)
            self.ending = first + second if is_whole else rf"{first}\w*|{second}"
            self.pattern = first + second if is_whole else rf"{first}\w*|\w*{second}"
        self._whole = re.compile(self.pattern)

    def __missing__(self, token: str) -> bool:
        may_be = self._whole.fullmatch(token) is not None
        self[token] = may_be = may_be and (self._key is None or are_neighbours(self._key, key(token)))
        return may_be


def _has(text: str, pattern: re.Pattern[str], words: Sequence[_LikeWord]) -> bool:
    """True if tokens that match a pattern are like these words. It matches the end of the first one, and all of the
    second one.
    """
    for match in pattern.finditer(text):
        start = match.start(1)
        while start and text[start - 1].isalnum():
            start -= 1
        tokens = (text[start : match.end(1)], *match.groups()[1:])
        if all(word[token] for word, token in zip(words, tokens, strict=True)):
            return True
    return False


def plain_forms(text: str) -> Sequence[str]:
    """A text without case and accents and, if it has hyphenated words, the same with these put together. Nothing if the
    words of the text are not runs of letters.
    """
    if has_unspaced(text):
        return ()
    forms = [text] if are_simple(text) else [text, with_whole_words(text)]
    if not text.isascii():
        for invisible in INVISIBLE:
            forms = [form.replace(invisible, "") for form in forms]
        forms = [_SEPARATORS.sub(" ", form) for form in forms]
    forms = [plain_text(form).replace("_", " ") for form in forms]
    return () if not text.isascii() and any(map(_OTHER_SCRIPTS.search, forms)) else forms
