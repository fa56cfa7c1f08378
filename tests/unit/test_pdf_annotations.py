"""The text of annotations is read if viewers show them."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name

from docserver.layout import words_of
from docserver.ocr.errors import TextLayerRejected
from docserver.ocr.pdf import free_text, pdfium
from tests.support.samples.pdf_annotations import PRINTED, annotated
from tests.support.samples.pdf_layers import PROSE, lines, pdf, scan
from tests.support.text_layers import DPI, layer, whole_layer

CAPTION = "BT /F 12 Tf 5 8 Td (4.35 metres) Tj ET"
INVISIBLE, HIDDEN, NO_VIEW = 1, 2, 32

InLayer = Callable[[pikepdf.Object, pikepdf.Object], pikepdf.Object]
"""Makes an annotation's /OC of two layers: one that is on, and one that is off."""

UNSEEN: dict[str, InLayer] = {
    "layer": lambda _on, off: off,
    "group": lambda _on, off: Dictionary(Type=Name.OCMD, OCGs=off),
    "group of all": lambda on, off: Dictionary(Type=Name.OCMD, OCGs=Array([on, off]), P=Name.AllOn),
    "unless off": lambda on, _off: Dictionary(Type=Name.OCMD, OCGs=Array([on]), P=Name.AnyOff),
    "not on": lambda on, _off: Dictionary(Type=Name.OCMD, OCGs=on, VE=Array([Name.Not, on])),
    "on and off": lambda on, off: Dictionary(
        Type=Name.OCMD, VE=Array([Name.And, on, Array([Name.Or, off, Array([Name.Not, on])])])
    ),
}
SEEN: dict[str, InLayer] = {
    "layer": lambda on, _off: on,
    "group": lambda on, off: Dictionary(Type=Name.OCMD, OCGs=Array([off, on])),
    "only while off": lambda _on, off: Dictionary(Type=Name.OCMD, OCGs=Array([off]), P=Name.AllOff),
    "not off": lambda _on, off: Dictionary(Type=Name.OCMD, VE=Array([Name.Not, off])),
    "group of none": lambda _on, _off: Dictionary(Type=Name.OCMD),
}


def in_layer(data: bytes, made_of: InLayer, **more: Any) -> bytes:
    """The PDF with its annotation in a layer or a group of layers. `more` is in the configuration of its layers."""
    file = io.BytesIO()
    with pikepdf.open(io.BytesIO(data)) as pdf:
        on, off = (pdf.make_indirect(Dictionary(Type=Name.OCG, Name=name)) for name in ("on", "off"))
        default = Dictionary(OFF=Array([off]), ON=Array([on]), **more)
        pdf.Root.OCProperties = Dictionary(OCGs=Array([on, off]), D=default)
        pdf.pages[0].Annots[0].OC = made_of(on, off)
        pdf.save(file)
    return file.getvalue()


@pytest.mark.parametrize("box", ["MediaBox", "CropBox"])
def test_a_page_with_annotations_may_inherit_its_size(box: str) -> None:
    def inheriting(data: bytes) -> bytes:
        file = io.BytesIO()
        with pikepdf.open(io.BytesIO(data)) as document:
            page = document.pages[0].obj
            page.Parent[f"/{box}"] = Array([0, 0, 595, 842])
            if f"/{box}" in page:
                del page[f"/{box}"]
            document.save(file)
        return file.getvalue()

    data = annotated(pdf(lines(["At the top of the page", *PROSE], top=830)), kind="FreeText", shows=CAPTION)

    assert layer(inheriting(data)) == layer(data)


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


@pytest.mark.parametrize("made_of", UNSEEN.values(), ids=UNSEEN)
def test_annotations_in_layers_that_are_off_are_not_read(made_of: InLayer) -> None:
    stamped = in_layer(annotated(pdf(lines(PROSE)), kind="Stamp", shows=CAPTION), made_of)

    assert layer(stamped).text == "\n".join(PROSE)


@pytest.mark.parametrize("made_of", SEEN.values(), ids=SEEN)
def test_annotations_in_layers_that_are_on_are_read(made_of: InLayer) -> None:
    stamped = in_layer(annotated(pdf(lines(PROSE)), kind="Stamp", shows=CAPTION), made_of, BaseState=Name.OFF)

    assert layer(stamped).text.endswith("4.35 metres")


def test_annotations_in_a_layer_that_is_not_for_viewing_are_not_read() -> None:
    stamped = annotated(pdf(lines(PROSE)), kind="Stamp", shows=CAPTION)
    with pikepdf.open(io.BytesIO(in_layer(stamped, SEEN["layer"]))) as changed:
        on = changed.Root.OCProperties.OCGs[0]
        on.Usage = Dictionary(View=Dictionary(ViewState=Name.OFF))
        usage = Dictionary(Event=Name.View, Category=Array([Name.View]), OCGs=Array([on]))
        changed.Root.OCProperties.D.AS = Array([usage])
        file = io.BytesIO()
        changed.save(file)

    assert layer(file.getvalue()).text == "\n".join(PROSE)


def test_annotations_in_layers_that_are_off_are_not_in_the_picture(tmp_path: Path) -> None:
    source = tmp_path / "stamped.pdf"
    source.write_bytes(in_layer(annotated(pdf(lines([])), kind="Stamp", shows=CAPTION), UNSEEN["layer"]))

    picture = pdfium.draw(str(source), page=1, dpi=72, max_pixels=1_000_000).image

    assert picture.getextrema() == (255, 255)


def test_a_page_with_nothing_but_an_annotation_without_text_is_read_from_its_picture() -> None:
    with pytest.raises(TextLayerRejected, match="no text"):
        layer(annotated(pdf(lines([])), kind="Stamp", shows="0 0 60 12 re f"))


def noted(text: str) -> bytes:
    """A page with a note without an appearance, 200 points wide."""
    file = io.BytesIO()
    with pikepdf.open(io.BytesIO(annotated(pdf(lines(PROSE)), kind="FreeText", shows=""))) as made:
        note = made.pages[0].Annots[0]
        del note.AP
        note.Contents = text
        note.DA = "/Helv 12 Tf 0 g"
        made.save(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Return by 14 March", "Return by 14 March"),
        ("Return to sender\rby 14 March", "Return to sender\nby 14 March"),
        ("Return to sender by 14 March with the other papers", "Return to sender by 14 March\nwith the other papers"),
    ],
)
def test_a_note_for_which_each_viewer_makes_an_appearance_is_read_whole(text: str, read: str) -> None:
    assert layer(noted(text)).text == "\n".join(PROSE) + "\n\n" + read


@pytest.mark.parametrize("text", ["Вернуть до 14 марта", "Return to sender " * 400])
def test_a_note_that_pdfium_cannot_draw_has_to_be_read(text: str) -> None:
    patches = whole_layer(noted(text)).patches

    assert patches is not None
    left, _, right, _ = patches.unread[-1]
    assert (left, right) == pytest.approx((72 * DPI / 72, 272 * DPI / 72), abs=1)


def test_notes_with_very_many_lines_have_to_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_text, "MAX_LINES", 1)

    assert whole_layer(noted("Return to\rsender")).patches is not None


def without_appearance(kind: str, *, flags: int = PRINTED, text: Sequence[str] = PROSE, **entries: Any) -> bytes:
    """A page with an annotation that has these entries and no appearance."""
    file = io.BytesIO()
    with pikepdf.open(io.BytesIO(annotated(pdf(lines(text)), kind=kind, shows="", flags=flags))) as made:
        annotation = made.pages[0].Annots[0]
        del annotation.AP
        for key, value in entries.items():
            annotation[f"/{key}"] = value
        made.save(file)
    return file.getvalue()


@pytest.mark.parametrize("text", [PROSE, []], ids=["beside text", "alone"])
@pytest.mark.parametrize(
    ("kind", "entries"),
    [("Stamp", {"Name": Name.Approved}), ("Line", {"L": Array([72, 515, 272, 515]), "Cap": True, "Contents": "4 m"})],
)
def test_a_page_with_text_that_some_viewers_draw_by_themselves_needs_review(
    kind: str, entries: dict[str, Any], text: Sequence[str]
) -> None:
    read = layer(without_appearance(kind, text=text, **entries))

    assert (read.text, read.needs_review) == ("\n".join(text), True)


@pytest.mark.parametrize(
    ("kind", "flags", "entries"),
    [
        pytest.param("Stamp", HIDDEN, {"Name": Name.Approved}, id="hidden stamp"),
        pytest.param("Line", PRINTED, {"Contents": "4 m"}, id="line with a remark"),
        pytest.param("Square", PRINTED, {"Contents": "4 m"}, id="square with a remark"),
    ],
)
def test_annotations_whose_text_no_viewer_draws_leave_the_page_exact(
    kind: str, flags: int, entries: dict[str, Any]
) -> None:
    read = layer(without_appearance(kind, flags=flags, **entries))

    assert (read.text, read.confidence, read.needs_review) == ("\n".join(PROSE), 100.0, False)


def ticked(shows: str | None = None, **entries: Any) -> bytes:
    """A page with a check box that viewers have to draw by themselves, unless `shows` draws its tick."""
    file = io.BytesIO()
    with pikepdf.open(io.BytesIO(annotated(pdf(lines(PROSE)), kind="Widget", shows=shows or ""))) as made:
        box = made.pages[0].Annots[0]
        tick = box.AP.N
        box.AP = Dictionary(N=Dictionary(Yes=tick))
        if shows is None:
            del box.AP
        for key, value in {"FT": Name.Btn, "T": "paid", "Rect": Array([72, 500, 86, 514]), **entries}.items():
            box[f"/{key}"] = value
        made.Root.AcroForm = Dictionary(Fields=Array([box]), NeedAppearances=True)
        made.save(file)
    return file.getvalue()


@pytest.mark.parametrize("state", [{"V": Name.Yes, "AS": Name.Yes}, {"V": Name.On}, {"AS": Name("/1")}])
def test_a_page_with_a_tick_that_viewers_draw_by_themselves_needs_review(state: dict[str, Any]) -> None:
    read = layer(ticked(**state))

    assert (read.text, read.needs_review) == ("\n".join(PROSE), True)


@pytest.mark.parametrize(
    "box",
    [
        pytest.param(ticked(V=Name.Off, AS=Name.Off), id="off"),
        pytest.param(ticked(), id="without a state"),
        pytest.param(ticked(V=Name.Yes, F=HIDDEN), id="hidden"),
        pytest.param(ticked("1 w 2 8 m 6 2 l 12 12 l S", V=Name.Yes, AS=Name.Yes), id="drawn by the file"),
    ],
)
def test_a_check_box_that_is_off_or_drawn_leaves_the_page_exact(box: bytes) -> None:
    read = layer(box)

    assert (read.text, read.confidence, read.needs_review) == ("\n".join(PROSE), 100.0, False)


def test_a_scan_with_a_stamp_that_some_viewers_draw_by_themselves_is_read_in_full_and_needs_review() -> None:
    file = io.BytesIO()
    with pikepdf.open(io.BytesIO(annotated(pdf(scan(PROSE)), kind="Stamp", shows=""))) as made:
        del made.pages[0].Annots[0].AP
        made.save(file)

    read = whole_layer(file.getvalue())

    assert (read.lacks_most, read.is_sure, read.is_exact) == (True, False, False)
