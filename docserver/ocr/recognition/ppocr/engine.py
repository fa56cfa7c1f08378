"""Child side: the second engine: PP-OCR's models on ONNX Runtime. Loads them when they are first needed."""

from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from PIL import Image

from docserver.layout import EngineName, Word
from docserver.ocr.languages import DETECTOR, RECOGNISER
from docserver.ocr.recognition.ppocr.confidence import confidence_of
from docserver.ocr.recognition.ppocr.detector import Detector, FoundLine
from docserver.ocr.recognition.ppocr.recogniser import Recogniser
from docserver.ocr.recognition.ppocr.words import words_in

FATAL = 4
"""ONNX Runtime logs only fatal errors. Otherwise it warns about devices that the sandbox does not let it see."""

MIN_SCORE = 0.5
"""Smallest mean score of the characters of a line. Drawings and handwriting are read with less."""


class Ppocr:
    """Finds the lines of a picture, and reads those that are asked for."""

    def __init__(self, models: Path) -> None:
        """`models` is the directory of the models."""
        self._models = models

    @cached_property
    def _detector(self) -> Detector:
        return Detector(_session(self._models / DETECTOR))

    @cached_property
    def _recogniser(self) -> Recogniser:
        return Recogniser(_session(self._models / RECOGNISER))

    def find(self, picture: Image.Image) -> list[FoundLine]:
        """The lines of text in a picture of mode RGB, in no order."""
        return self._detector.lines(picture)

    def read(self, picture: Image.Image, line: FoundLine) -> list[Word]:
        """The words of a line in a picture of mode RGB, from left to right; none if it is hardly legible."""
        shown = line.shown(picture)
        characters = self._recogniser.read(shown)
        if not characters or fmean(character.score for character in characters) < MIN_SCORE:
            return []
        return [
            Word(word.text, line.on_picture(word.box), confidence_of(word), EngineName.PPOCR)
            for word in words_in(shown, characters)
        ]


def _session(model: Path) -> Any:
    # A process that never needs it does not load it, and where it is not installed there is nothing to load.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # Arenas keep the most memory that any line has taken, and double it when they grow.
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    options.log_severity_level = FATAL
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
