"""The text of annotations is read if they are drawn."""

import pytest

from docserver.layout import words_of
from tests.support.samples.pdf_annotations import PRINTED, annotated
from tests.support.samples.pdf_layers import PROSE, lines, pdf
from tests.support.text_layers import layer

CAPTION = "BT /F 12 Tf 5 8 Td (4.35 metres) Tj ET"
INVISIBLE, HIDDEN, NO_VIEW = 1, 2, 32


@pytest.mark.parametrize(
    "kind", ["Line", "Watermark", "FreeText", "Stamp", "Ink", "Polygon", "Square", "Text", "Redact", "OfTomorrow"]
)
def test_text_of_annotations_of_every_kind_is_read(kind: str) -> None:
    text = layer(annotated(pdf(lines(PROSE)), kind=kind, shows=CAPTION)).text

    assert text == "\n".join(PROSE) + "\n\n4.35 metres"


@pytest.mark.parametrize("flags", [0, INVISIBLE])
def test_annotations_that_are_not_printed_are_read(flags: int) -> None:
    text = layer(annotated(pdf(lines(PROSE)), kind="Line", shows=CAPTION, flags=flags)).text

    assert text.endswith("4.35 metres")


@pytest.mark.parametrize("flags", [HIDDEN, NO_VIEW, PRINTED | NO_VIEW])
def test_annotations_that_are_not_shown_are_not_read(flags: int) -> None:
    text = layer(annotated(pdf(lines(PROSE)), kind="FreeText", shows=CAPTION, flags=flags)).text

    assert text == "\n".join(PROSE)


def test_a_popup_is_not_read() -> None:
    assert layer(annotated(pdf(lines(PROSE)), kind="Popup", shows=CAPTION)).text == "\n".join(PROSE)


def test_an_annotation_without_text_takes_no_word_away() -> None:
    marked = annotated(pdf(lines(PROSE, top=514)), kind="Highlight", shows="0 0 1 RG 0 0 200 30 re S")

    assert [word.text for word in words_of(layer(marked).blocks)] == " ".join(PROSE).split()
