"""Child side: decides which words of a text layer are visible, by drawing the page with and without them."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from docserver.layout import Rect
from docserver.ocr.pdf.drawing import PageDrawing
from docserver.ocr.pdf.page_objects import PageObjects
from docserver.ocr.pdf.verification.overlaps import layers_of, overlapping, squares_of
from docserver.ocr.pdf.verification.seen_ink import MIN_GONE, Candidate, Seen, SeenInk
from docserver.ocr.pdf.verification.typed_over import STRIKES, TypedOver, are_typed_over, shared
from docserver.ocr.pdf.verification.undrawn_words import would_show
from docserver.ocr.pdf.verification.unexplained_ink import places_of_unexplained
from docserver.ocr.pdf.words.text_cells import BesideWords, Rects, as_array

MIN_OVERLAP = 0.2
"""Words that overlap by this share of the smaller one are drawn one by one, to see which of them is visible. Letters of
two neighbouring words overlap less."""

MAX_REPEAT_OFFSET = 0.25
"""Largest distance of two equal words that are one word, drawn twice as a shadow or as bold, as a share of the letters'
height. The boxes must overlap too, so that 1 1 in narrow letters stays two words."""

LONG_WORD, MIN_REPEAT_OVERLAP = 3, 0.5
"""Fewest letters of a word that is also a repeat if it is farther away, and the share of its box that the boxes share.
Nobody draws equal words over each other to be read twice."""


@dataclass(frozen=True, slots=True)
class DrawnWords:
    """How a page's words are drawn."""

    seen: list[Seen]
    """How much one sees of each."""
    beside: BesideWords
    """The pixels of the drawing that are beside the words."""
    unexplained: list[Rect]
    """Where one sees letters that are in no word."""
    graphics: Image.Image | None
    """The page without its texts, in grey; None if it has nothing else."""
    typed_over: list[TypedOver]
    """Those that one sees though another is drawn over them."""


def visible(
    words: Sequence[Candidate], *, whole: Image.Image, drawing: PageDrawing, objects: PageObjects
) -> DrawnWords:
    """How much one sees of each word on the page, and where one sees letters that are in none of them. `whole` is the
    drawing of the whole page in grey.

    Of a word that is drawn twice in the same place, one is visible. Raises TextLayerRejected if too many words overlap.
    """
    rects = as_array([word.rect for word in words])
    repeats, conflicts = _overlaps(words, rects)
    layers = layers_of((words[one].address, words[other].address) for one, other in conflicts)
    visibilities = [
        _Visibility(whole, drawing=drawing, objects=objects, texts=texts)
        for texts in _texts_of_layers(objects.texts, layers)
    ]
    whole_in = [visibility.seen_whole(words, rects) for visibility in visibilities]
    result = [Seen.NOTHING] * len(words)
    for index, word in enumerate(words):
        if word.has_glyphs:
            layer = layers.get(word.address, 0) if layers else 0
            result[index] = Seen.ALL if index in whole_in[layer] else visibilities[layer].of(word)
    if len(visibilities) > 1 and Seen.PART in result:
        # Other letters of the word may be drawn by an object of another layer.
        together = _Visibility(whole, drawing=drawing, objects=objects, texts=objects.texts)
        result = [together.of(word) if seen is Seen.PART else seen for word, seen in zip(words, result, strict=True)]
    undrawn = [index for index, word in enumerate(words) if not word.has_glyphs]
    if undrawn:
        places = [(words[index].address, words[index].rect) for index in undrawn]
        shown = would_show(places, whole=whole, drawing=drawing, objects=objects)
        for index in itertools.compress(undrawn, shown):
            result[index] = Seen.ALL
    for alike in _groups(repeats):
        # Some may be hidden, as under a second text that says the same. Of shadows, one sees only a part.
        best = min(alike, key=lambda index: (_BY_INK.index(result[index]), index))
        for index in alike - {best}:
            result[index] = Seen.NOTHING
    contrast = reduce(np.maximum, (visibility.contrast for visibility in visibilities))
    graphics = visibilities[0].without if visibilities[0].are_with_others else None
    if len(visibilities) > 1 or objects.shadows:
        graphics = drawing.without([*objects.texts.values(), *objects.shadows])
    beside = BesideWords.of(rects, contrast.shape)
    unexplained = places_of_unexplained(beside, contrast)
    seen_pairs = [pair for pair in dict.fromkeys(conflicts) if all(result[index] is Seen.ALL for index in pair)]
    ink = {address: visibilities[layer] for address, layer in layers.items()}
    typed_over = list(_typed_over(seen_pairs, words=words, ink=ink, order=list(objects.texts)))
    return DrawnWords(result, beside, unexplained, graphics, typed_over)


def _typed_over(
    pairs: Iterable[tuple[int, int]],
    *,
    words: Sequence[Candidate],
    ink: Mapping[int, "_Visibility"],
    order: Sequence[int],
) -> Iterator[TypedOver]:
    """Those of the pairs of overlapping words of which one is drawn over letters of the other. `ink` and `order` have
    the addresses of the words' text objects, the second one as they are painted.
    """
    for pair in pairs:
        if are_typed_over(*(words[index] for index in pair)):
            under, over = sorted(pair, key=lambda index: order.index(words[index].address))
            share = ink[words[under].address].hidden_share(shared(words[under].rect, words[over].rect))
            if share >= MIN_GONE or not STRIKES.issuperset(words[over].text):
                yield TypedOver(under, over, share >= MIN_GONE)


_BY_INK = (Seen.ALL, Seen.PART, Seen.NOTHING)


class _Visibility:
    """What is visible of some text objects: in grey, and in colours if grey does not show all of a word."""

    def __init__(
        self, whole: Image.Image, *, drawing: PageDrawing, objects: PageObjects, texts: Mapping[int, Any]
    ) -> None:
        self._drawing, self._texts = drawing, texts
        self._others = [*objects.others, *(handle for address, handle in objects.texts.items() if address not in texts)]
        self._in_grey = SeenInk(whole, drawing=drawing, texts=self._texts, others=self._others)

    def seen_whole(self, words: Sequence[Candidate], rects: Rects) -> set[int]:
        """The numbers of those of these words, which are in these rectangles, of which grey shows that one sees all."""
        return self._in_grey.seen_whole(words, rects)

    def of(self, word: Candidate) -> Seen:
        seen = self._in_grey.of(word)
        return seen if seen is Seen.ALL else self._in_colours.of(word)

    @property
    def contrast(self) -> npt.NDArray[np.uint8]:
        """How much the objects change each pixel of the page, in grey."""
        return self._in_grey.contrast

    def hidden_share(self, rect: Rect) -> float:
        """The share of the objects' ink within a rectangle that is covered."""
        return self._in_grey.hidden_share(rect)

    @property
    def are_with_others(self) -> bool:
        """False if the page has nothing but these objects."""
        return self._in_grey.are_with_others

    @property
    def without(self) -> Image.Image:
        """The page without these objects, in grey."""
        return self._in_grey.without

    @cached_property
    def _in_colours(self) -> SeenInk:
        drawing = self._drawing.in_colours
        return SeenInk(drawing.whole(), drawing=drawing, texts=self._texts, others=self._others)


def _overlaps(words: Sequence[Candidate], rects: Rects) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Pairs of overlapping words, as (index, index of the earlier one): repeats, and others of several text objects."""
    repeats: list[tuple[int, int]] = []
    conflicts: list[tuple[int, int]] = []
    squares: dict[tuple[int, int], list[int]] = defaultdict(list)
    grid = squares_of(rects)
    for index in np.unique(overlapping(rects, grid)).tolist():
        word, (first, high, last, low) = words[index], grid[index].tolist()
        left, top, right, bottom = word.rect
        for square in itertools.product(range(first, last + 1), range(high, low + 1)):
            there = squares[square]
            for earlier in there:
                other = words[earlier]
                x0, y0, x1, y1 = other.rect
                if x0 >= right or x1 <= left or y0 >= bottom or y1 <= top:
                    continue
                overlap = (min(right, x1) - max(left, x0)) * (min(bottom, y1) - max(top, y0))
                if _is_repeat(word, other, overlap=overlap):
                    repeats.append((index, earlier))
                elif word.address != other.address and overlap > MIN_OVERLAP * min(_area(word), _area(other)):
                    conflicts.append((index, earlier))
            there.append(index)
    return repeats, conflicts


def _groups(repeats: Iterable[tuple[int, int]]) -> list[set[int]]:
    """The words that repeat each other, together. One of several shadows may only repeat the next one."""
    groups: dict[int, set[int]] = {}
    for index, earlier in repeats:
        group = groups.setdefault(earlier, {earlier})
        if (other := groups.setdefault(index, {index})) is not group:
            group |= other
            groups.update(dict.fromkeys(other, group))
    return list({id(group): group for group in groups.values()}.values())


def _is_repeat(word: Candidate, earlier: Candidate, *, overlap: float) -> bool:
    """True if both are the same word in nearly the same place. Their boxes overlap by this area."""
    if word.text != earlier.text:
        return False
    if len(word.text) >= LONG_WORD and overlap > MIN_REPEAT_OVERLAP * _area(word):
        return True
    reach = MAX_REPEAT_OFFSET * word.height
    return all(abs(side - other) <= reach for side, other in zip(word.rect, earlier.rect, strict=True))


def _area(word: Candidate) -> float:
    left, top, right, bottom = word.rect
    return (right - left) * (bottom - top)


def _texts_of_layers(texts: Mapping[int, Any], layers: Mapping[int, int]) -> list[dict[int, Any]]:
    """The text objects of each layer, by their addresses."""
    split: list[dict[int, Any]] = [{} for _ in range(max(layers.values(), default=0) + 1)]
    for address, handle in texts.items():
        split[layers.get(address, 0)][address] = handle
    return split
