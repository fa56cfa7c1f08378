"""Finds the tokens of a page: its words, words that are hyphenated over two lines, and pairs of letters of scripts that
are written without spaces.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

MAX_LETTERS = 40
"""Letters of a token; the rest of a longer one is left out. Longer runs of letters are no words."""

HYPHENS = "-\u2010\u2011\u00ad"

INVISIBLE = "\u00ad\u200c\u200d"
"""The soft hyphen and the joiners. They stand inside words, and are left out of tokens."""

UNSPACED = (
    "\u0e00-\u0e7f"  # Thai
    "\u0e80-\u0eff"  # Lao
    "\u1000-\u109f"  # Burmese
    "\u1780-\u17ff"  # Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # Japanese
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese characters
)
"""The letters of scripts that are written without spaces between words, as a part of a regular expression."""

_BETWEEN_LINES = r"[ \t]*\n[ \t]*"

_HYPHEN_AT_END = re.compile(rf"[{HYPHENS}]{_BETWEEN_LINES}")

_ASCII_LETTERS = bytes(code if chr(code).isalnum() else ord(" ") for code in range(128)) + bytes(128)
"""For `bytes.translate`: a space for each character that is no letter or digit."""

_IS_UNSPACED = re.compile(rf"[{UNSPACED}]")


# Hundreds are made for a page that is shown, and tuples are made in a fifth of the time of dataclasses.
class Token(NamedTuple):
    """A token, and where it stands in the text."""

    surface: str
    """As it is written, in normal form C, without what is invisible."""
    position: int
    """Its number among the words of the text. A word that is hyphenated has the same number as its parts."""
    spans: tuple[tuple[int, int], ...]
    """Its parts of the text, from and to: two if it is hyphenated over two lines."""


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a text in their order. Each line of the text is a line of the page."""
    position = 0
    for match in _pattern().finditer(text):
        start, end = match.span()
        first, second = match.groups()
        if first is not None:
            middle = start + len(first)
            rest = end - len(second)
            # With its hyphen.
            yield Token(_surface(first + second), position, ((start, middle + 1), (rest, end)))
            yield Token(_surface(first), position, ((start, middle),))
            yield Token(_surface(second), position, ((rest, end),))
            position += 1
        elif _IS_UNSPACED.match(text, start):
            for token in _pairs(text, start, end, position):
                yield token
                position += 1
        else:
            yield Token(_surface(match[0]), position, ((start, end),))
            position += 1


def surfaces(text: str) -> list[str]:
    """The surfaces of the tokens of a text; in the order of the text if `are_simple`."""
    is_ascii = text.isascii()
    if has_unspaced(text):
        return [token.surface for token in tokens(text)]
    # This gives the same as `tokens`, in a small part of the time.
    words = text.encode().translate(_ASCII_LETTERS).decode().split() if is_ascii else _word().findall(text)
    if _HYPHEN_AT_END.search(text):
        words += [first + second for first, second in _hyphenated_word().findall(text)]
    return [word[:MAX_LETTERS] for word in words] if is_ascii else [_surface(word) for word in words]


def simple_tokens(text: str, places: Sequence[int]) -> list[Token]:
    """The tokens at these places of a text in which `are_simple`."""
    spans = [match.span() for match in _word().finditer(text)]
    return [Token(_surface(text[slice(*spans[place])]), place, (spans[place],)) for place in places]


def are_simple(text: str) -> bool:
    """True if each token of a text stands alone: none is hyphenated over lines or of a script without spaces."""
    return not has_unspaced(text) and not _HYPHEN_AT_END.search(text)


def has_unspaced(text: str) -> bool:
    """True if a text has letters of scripts without spaces."""
    return not text.isascii() and _IS_UNSPACED.search(text) is not None


def with_whole_words(text: str) -> str:
    """A text of scripts with spaces, with its hyphenated words put together."""
    return _hyphenated_word().sub(r"\1\2", text)


def is_unspaced(surface: str) -> bool:
    """True if a token is of a script without spaces."""
    return _IS_UNSPACED.match(surface) is not None


def first_letter(text: str, token: Token) -> Token:
    """The first letter of a token of a script without spaces, as a token; `text` is what the token stands in."""
    begin, stop = token.spans[0]
    letter = _letters().match(text, begin, stop)
    stop = letter.end() if letter else stop
    return Token(_surface(text[begin:stop]), token.position, ((begin, stop),))


def _pairs(text: str, start: int, end: int, position: int) -> Iterator[Token]:
    """Each pair of letters that follow one another, and the last letter alone. So a search for one letter finds the
    tokens that begin with it. A letter keeps the marks that follow it.
    """
    letters = [(found.start(), found.end()) for found in _letters().finditer(text, start, end)]
    for number, (begin, stop) in enumerate(letters):
        following = letters[number + 1 : number + 2]
        spans = ((begin, stop), *following)
        joined = ((begin, following[0][1]),) if following and following[0][0] == stop else spans
        yield Token(_surface("".join(text[a:b] for a, b in spans)), position + number, joined)


@lru_cache(maxsize=100_000)
def _surface(written: str) -> str:
    if written.isascii():
        return written[:MAX_LETTERS]
    visible = "".join(letter for letter in written if letter not in INVISIBLE)
    return unicodedata.normalize("NFC", visible)[:MAX_LETTERS]


@cache
def _marks() -> str:
    """All combining marks, as a part of a regular expression: for Python they are no letters."""
    ranges: list[list[int]] = []
    for code in (*range(0x300, 0x3100), *range(0xA600, 0xAC00), 0xFB1E, *range(0xFE00, 0xFE30)):
        if unicodedata.category(chr(code)).startswith("M"):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


@cache
def _letters() -> re.Pattern[str]:
    """A letter of a script without spaces, with its marks."""
    return re.compile(rf"[{UNSPACED}](?<![{_marks()}])[{_marks()}{INVISIBLE}]*|[{_marks()}]")


@cache
def _letters_and_digits() -> str:
    """Letters and digits of scripts with spaces, with their marks, as a part of a regular expression."""
    return rf"(?:[^\W_{UNSPACED}]++[{_marks()}{INVISIBLE}]*+)++"


@cache
def _hyphenated() -> str:
    """A word hyphenated over two lines, with two groups. No language splits off a single letter."""
    letter = rf"(?:[^\W\d_{UNSPACED}][{_marks()}]*)"
    return rf"({letter}{{2,}})[{HYPHENS}]{_BETWEEN_LINES}({letter}{{2,}})(?![^\W_{UNSPACED}])"


@cache
def _pattern() -> re.Pattern[str]:
    """A hyphenated word (with two groups), letters of a script without spaces, or a word."""
    unspaced = rf"[{UNSPACED}{_marks()}]"
    return re.compile(rf"{_hyphenated()}|{unspaced}+(?:[ \t]*\n?[ \t]*{unspaced}+)*|{_letters_and_digits()}")


@cache
def _word() -> re.Pattern[str]:
    """A word in a text of scripts with spaces."""
    return re.compile(_letters_and_digits())


@cache
def _hyphenated_word() -> re.Pattern[str]:
    """A word hyphenated over two lines, in a text of scripts with spaces."""
    return re.compile(rf"(?<![^\W_]){_hyphenated()}")
