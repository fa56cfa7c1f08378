"""Folds tokens: if a search takes two tokens for one another, their keys are the same or neighbours."""

import re
import unicodedata
from enum import IntEnum
from functools import lru_cache

from docserver.search.tokens import is_unspaced

MIN_EDITED = 5
"""Fewest letters of a word that is also found with one wrong letter. Shorter words have too many others beside them."""

MIN_EDITED_TWICE = 8
"""Fewest letters of a key of which two may be exchanged, if both are in the same half: then the other half finds it. Of
the words of eight letters in English texts, a third has another word beside it that differs so."""

_MARKS = re.compile("[\u0300-\u036f\u0591-\u05c7\u0640\u064b-\u065f\u0670]")
"""Accents of European scripts, and the vowel marks that Hebrew and Arabic are mostly written without. Marks of other
scripts, such as Thai vowels, make other words."""

_LETTERS = {"ł": "l", "ø": "o", "đ": "d", "ħ": "h", "\u0131": "i", "æ": "ae", "œ": "oe", "ŧ": "t"}
"""Letters that Unicode does not take apart."""

_ANY_OF_LETTERS = re.compile(f"[{''.join(_LETTERS)}]")

_LATIN_LIKE = dict(zip("авекмнорстухі", "abekmhopctyxi", strict=True))
_LATIN_LIKE |= dict(zip("αβγεζηικμνορτυχω", "abyeznikmvoptuxw", strict=True))
"""Cyrillic and Greek letters that look like Latin ones, as small letters or as capitals."""

_ALIKE = {"0": "o", "1": "l", "i": "l", "5": "s", "f": "s"}

_MISREAD = str.maketrans(_ALIKE | {letter: _ALIKE.get(latin, latin) for letter, latin in _LATIN_LIKE.items()})
_MISREAD_AS_LATIN = str.maketrans(_LATIN_LIKE)
_KEYED_AS: dict[str, list[str]] = {}
for _letter, _keyed in _MISREAD.items():
    _KEYED_AS.setdefault(_keyed, []).append(chr(_letter))


_FEW_MISREAD = str.maketrans({"0": "o", "O": "o", "1": "l", "I": "l", "5": "s", "S": "s"})


class Likeness(IntEnum):
    """How much a word of a page is like a word of the query. The value is its points in the score."""

    ANOTHER = 1
    """It differs like EDITED, but is on many pages, so it is probably another word. Only the index tells them apart."""
    EDITED = 2
    """It differs in one letter that is wrong, missing or added, or in two, and perhaps in letters often misread."""
    MISREAD = 3
    """It differs only in letters that are often misread."""
    FOLDED = 6
    """It differs only in case and accents."""
    EXACT = 8


def plain_text(text: str) -> str:
    """A text without case and accents, in normal form C."""
    if text.isascii():
        return text.lower()
    folded = _ANY_OF_LETTERS.sub(lambda match: _LETTERS[match[0]], unicodedata.normalize("NFKC", text).casefold())
    return unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", folded)))


plain = lru_cache(maxsize=50_000)(plain_text)
"""The same for a token."""


@lru_cache(maxsize=50_000)
def key(surface: str) -> str:
    """What a token has in common with all tokens that it may be misread for, letter by letter.

    Long s is never the last letter, so a last f stays f. Two s are one, because one letter may be misread for ß, and
    plain tokens have ss for that.
    """
    folded = plain(surface).replace("rn", "m")
    keyed = folded.translate(_MISREAD)
    return (f"{keyed[:-1]}f" if folded.endswith("f") else keyed).replace("ss", "s")


def keyed_like(letter: str) -> str:
    """Matches what of a plain token stands in keys as this letter."""
    alike = f"[{letter}{''.join(_KEYED_AS.get(letter, ()))}]"
    if letter == "m":
        return f"(?:rn|{alike})"
    return f"{alike}{{1,2}}" if letter == "s" else alike


def is_edited(surface: str) -> bool:
    """True if a search also takes this word with a wrong letter."""
    return len(surface) >= MIN_EDITED and surface.isalpha() and not is_unspaced(surface)


def likeness(word: str, surface: str, *, fuzzy: bool) -> Likeness | None:
    """How much a token is like a word of a query; None if the search does not take it for the word."""
    if surface == word:
        return Likeness.EXACT
    if plain(surface) == plain(word):
        return Likeness.FOLDED
    if not fuzzy:
        return None
    if key(word) != key(surface) and not (is_edited(word) and are_neighbours(key(word), key(surface))):
        return None
    if surface[1:] != surface[1:].lower() and _misread_key(word.upper()) == _misread_key(surface):
        # In a word in capitals, an i of the query may be a misread I.
        return Likeness.MISREAD
    # I may be the capital of i too, not only a misread l.
    small = _misread_likeness(word.lower(), surface.lower()) if "I" in word + surface else None
    return max(filter(None, (_misread_likeness(word, surface), small)), default=None)


def _misread_likeness(word: str, surface: str) -> Likeness | None:
    name, other = _misread_key(word), _misread_key(surface)
    if name == other:
        return Likeness.MISREAD
    if set(name).isdisjoint(other):
        # A word of another script, with letters that look alike.
        return None
    name, other = name.translate(_MISREAD_AS_LATIN), other.translate(_MISREAD_AS_LATIN)
    if name == other:
        return Likeness.MISREAD
    is_near = is_edited(word) and are_neighbours(name.replace("ss", "s"), other.replace("ss", "s"))
    return Likeness.EDITED if is_near else None


@lru_cache(maxsize=50_000)
def _misread_key(surface: str) -> str:
    """As `key`, but i counts as l only where it is or may be a capital: small i and l are seldom misread. Tokens that
    are equal in this have equal keys, and tokens that differ by one letter have neighbouring keys.
    """
    capital = surface[:1].upper() + surface[1:]
    folded = plain(capital.translate(_FEW_MISREAD)).replace("rn", "m")
    return folded[:-1].replace("f", "s") + folded[-1:]


def are_neighbours(one: str, other: str) -> bool:
    """True if a letter is exchanged, left out or added, or none; or if two are exchanged in one half of a long word."""
    return _is_one_edit(one, other) or _are_two_exchanged(one, other)


def _are_two_exchanged(one: str, other: str) -> bool:
    half = len(one) // 2
    if not len(one) == len(other) >= MIN_EDITED_TWICE or not (one[:half] == other[:half] or one[half:] == other[half:]):
        return False
    return sum(map(str.__ne__, one, other)) == 2


def _is_one_edit(one: str, other: str) -> bool:
    if abs(len(one) - len(other)) > 1:
        return False
    at = 0
    while at < len(one) and at < len(other) and one[at] == other[at]:
        at += 1
    return one[at + (len(one) >= len(other)) :] == other[at + (len(other) >= len(one)) :]


@lru_cache(maxsize=1000)
def edited_rest(begins: str, rest: str) -> re.Pattern[str]:
    """Matches lines that are these two halves of a key, or a neighbour that differs in the second one."""
    twice = f"|{_exchanged(rest, 2)}" if len(begins + rest) >= MIN_EDITED_TWICE else ""
    return re.compile(f"\n{re.escape(begins)}(?:{_edited(rest)}{twice})(?=\n)")


@lru_cache(maxsize=1000)
def edited(begins: str, rest: str) -> re.Pattern[str]:
    """Matches lines that begin with a key of these two halves, or with any neighbour, before a tab."""
    twice = ""
    if len(begins + rest) >= MIN_EDITED_TWICE:
        either = f"{re.escape(begins)}{_exchanged(rest, 2)}|{_exchanged(begins, 2)}{re.escape(rest)}"
        # Most lines have another length, and are ruled out at once.
        twice = f"|(?=.{{{len(begins + rest)}}}\t)(?:{either})"
    return re.compile(f"\n(?:{_edited(begins + rest)}{twice})(?=\t)")


def _exchanged(text: str, most: int) -> str:
    """A text of which so many letters may be exchanged."""
    if not text or not most:
        return re.escape(text)
    return f"(?:{re.escape(text[0])}{_exchanged(text[1:], most)}|.{_exchanged(text[1:], most - 1)})"


def _edited(text: str) -> str:
    if not text:
        return ".?"
    first, rest = re.escape(text[0]), re.escape(text[1:])
    return f"(?:{first}{_edited(text[1:])}|.?{rest}|.{first}{rest})"
