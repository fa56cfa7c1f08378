"""Child side: how long the stages of the present call take. An OCR process has one call at a time."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from docserver.ocr.requests import Stages

_seconds: defaultdict[str, float] = defaultdict(float)


@contextmanager
def stage(name: Literal["opening", "text_layer", "drawing", "recognising"]) -> Iterator[None]:
    """Add the time of the block to a stage."""
    began = time.perf_counter()
    try:
        yield
    finally:
        _seconds[name] += time.perf_counter() - began


def start() -> None:
    """Begin a call: no stage has taken any time."""
    _seconds.clear()


def stages() -> Stages:
    """The stages since the last start."""
    return Stages(**_seconds)
