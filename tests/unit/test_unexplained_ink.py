"""Ink that is in no word of a page: letters, and edges of letters that are beside the boxes of their words."""

import numpy as np
from PIL import Image, ImageDraw

from docserver.ocr.pdf.verification.unexplained_ink import places_of_unexplained
from docserver.ocr.pdf.words.text_cells import BesideWords, as_array

UPPER, LOWER = (20.0, 20.0, 50.0, 30.0), (22.0, 34.0, 47.0, 44.0)

BESIDE = BesideWords.of(as_array([UPPER, LOWER]), (100, 100))


def test_edges_of_the_letters_of_several_words_are_no_letter() -> None:
    contrast = Image.new("L", (100, 100))
    draw = ImageDraw.Draw(contrast)
    draw.line((52, 21, 52, 29), fill=200)
    draw.line((49, 36, 49, 43), fill=200)
    draw.line((55, 36, 55, 43), fill=200)

    assert places_of_unexplained(BESIDE, np.asarray(contrast)) == []


def test_a_letter_beside_a_word_is_unexplained() -> None:
    contrast = Image.new("L", (100, 100))
    ImageDraw.Draw(contrast).rectangle((54, 22, 55, 28), fill=200)

    assert places_of_unexplained(BESIDE, np.asarray(contrast)) == [(54, 22, 56, 29)]
