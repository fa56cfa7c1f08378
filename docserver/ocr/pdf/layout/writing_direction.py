"""Child side: puts the words of a line into the order in which they are read, where it has right-to-left script."""

from typing import Protocol, TypeVar


class LineWord(Protocol):
    """What has to be known of a word."""

    @property
    def text(self) -> str: ...

    @property
    def x0(self) -> float: ...

    @property
    def right_to_left(self) -> bool: ...


AnyWord = TypeVar("AnyWord", bound=LineWord)


def in_logical_order(words: list[AnyWord], *, right_to_left: bool) -> list[AnyWord]:
    """The words of a line in logical order. `right_to_left` is the direction of the page. A line without right-to-left
    script stays as it is.
    """
    if not any(word.right_to_left for word in words):
        return words
    from_left = sorted(words, key=lambda word: word.x0)
    directions = [word.right_to_left for word in from_left if _has_letters(word)]
    if directions[0] == directions[-1]:
        right_to_left = directions[0]
    # Successive words of the other direction, and numbers between them, are read in their own direction.
    ordered: list[AnyWord] = []
    opposite: list[AnyWord] = []
    numbers: list[AnyWord] = []
    for word in reversed(from_left) if right_to_left else from_left:
        if _has_letters(word) and word.right_to_left != right_to_left:
            opposite += (*numbers, word)
            numbers = []
        elif opposite and not _has_letters(word):
            numbers.append(word)
        else:
            ordered += (*reversed(opposite), *numbers, word)
            opposite, numbers = [], []
    return [*ordered, *reversed(opposite), *numbers]


def _has_letters(word: LineWord) -> bool:
    return word.right_to_left or any(map(str.isalpha, word.text))
