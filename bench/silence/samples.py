"""One table of all tricks, and the samples that they make."""

import random
from collections.abc import Callable, Iterator, Sequence
from types import MappingProxyType

from bench.silence import arranged, drawn, fonts, forms, hidden, marks, scripts, shapes
from bench.silence.sheet import Sample, Sheet

Trick = Callable[[Sheet], None]

GROUPS = MappingProxyType(
    {
        "hidden words": hidden.TRICKS,
        "unusual ways to draw": drawn.TRICKS,
        "fonts": fonts.TRICKS,
        "shapes and pictures": (*shapes.TRICKS, *marks.TRICKS),
        "scripts and letters": scripts.TRICKS,
        "places": arranged.TRICKS,
        "annotations and forms": forms.TRICKS,
    }
)

IN_PLACE = frozenset(
    {
        *forms.TRICKS,
        arranged.far_origin,
        arranged.turned_page,
        drawn.in_shading,
        drawn.pattern,
        hidden.cut_by_crop,
        hidden.outside_crop,
    }
)
"""Tricks that give places on the page itself, which is not turned for them."""


def sample(group: str, trick: Trick, seed: int) -> Sample:
    """A page with prose before and after this trick."""
    chance = random.Random(f"{trick.__name__} {seed}")
    turns = 0 if trick in IN_PLACE or seed % 2 else chance.randint(1, 3)
    sheet = Sheet(chance, turns=turns)
    sheet.prose(chance.randint(2, 6))
    trick(sheet)
    sheet.down(sheet.size)
    sheet.prose(chance.randint(1, 5))
    return Sample(group, trick.__name__, seed, sheet.finished(), tuple(sheet.words))


def samples(seeds: Sequence[int]) -> Iterator[Sample]:
    """One sample of each trick for each seed."""
    return (sample(group, trick, seed) for group, tricks in GROUPS.items() for trick in tricks for seed in seeds)
