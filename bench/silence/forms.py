"""Tricks with annotations and form fields."""

from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, String

from bench import texts
from bench.silence.sheet import LEFT, Sheet

FACE = "Helvetica"
HIDDEN, PRINT, NO_VIEW = 2, 4, 32
COMB = 1 << 24
CHOICE_COMBO = 1 << 17


def _font() -> Dictionary:
    return Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name(f"/{FACE}"))


def _appearance(pdf: pikepdf.Pdf, operators: str, *, width: float, height: float) -> pikepdf.Stream:
    stream = pdf.make_stream(operators.encode("latin-1"))
    stream.Type, stream.Subtype, stream.BBox = Name.XObject, Name.Form, Array([0, 0, width, height])
    stream.Resources = Dictionary(Font=Dictionary(F=_font()))
    return stream


def annotate(
    sheet: Sheet, text: str, *, x: float, y: float, operators: str = "", flags: int = PRINT, **entries: Any
) -> None:
    """Add an annotation whose appearance shows a text in one line, or what the operators draw."""
    width, height = sheet.width(text, font=FACE) + 8, sheet.size * 1.5
    left, bottom = sheet.canvas.absolutePosition(x, y)
    drawn = operators or f"BT /F {sheet.size} Tf 4 {0.4 * sheet.size} Td ({text}) Tj ET"

    def change(pdf: pikepdf.Pdf) -> None:
        annotation = Dictionary(
            Type=Name.Annot,
            Rect=Array([left, bottom, left + width, bottom + height]),
            F=flags,
            AP=Dictionary(N=_appearance(pdf, drawn, width=width, height=height)),
            **entries,
        )
        page = pdf.pages[0].obj
        if "/Annots" not in page:
            page.Annots = Array()
        page.Annots.append(pdf.make_indirect(annotation))
        if entries.get("Subtype") == Name.Widget:
            if "/AcroForm" not in pdf.Root:
                pdf.Root.AcroForm = Dictionary(
                    Fields=Array(), DR=Dictionary(Font=Dictionary(F=_font())), DA=String("/F 10 Tf")
                )
            pdf.Root.AcroForm.Fields.append(page.Annots[-1])

    sheet.changes.append(change)


def _see(sheet: Sheet, text: str, *, x: float, y: float) -> None:
    sheet.see(text, x + 4, y + 0.4 * sheet.size, font=FACE)


def _beside(sheet: Sheet, text: str) -> tuple[float, float]:
    """A place for a field beside its name."""
    end = sheet.line(text)
    return end + sheet.size, sheet.y - 0.4 * sheet.size


def free_text(sheet: Sheet) -> None:
    text, (x, y) = texts.line(sheet.chance), _beside(sheet, "Note")
    annotate(sheet, text, x=x, y=y, Subtype=Name.FreeText, Contents=String(text), DA=String("/F 10 Tf 0 g"))
    _see(sheet, text, x=x, y=y)


def stamp(sheet: Sheet) -> None:
    y = sheet.down(30)
    text = f"APPROVED {texts.date(sheet.chance)}"
    annotate(sheet, text, x=300, y=y, Subtype=Name.Stamp)
    _see(sheet, text, x=300, y=y)


def watermark(sheet: Sheet) -> None:
    y = sheet.down(30)
    annotate(sheet, "SPECIMEN", x=200, y=y, Subtype=Name.Watermark)
    _see(sheet, "SPECIMEN", x=200, y=y)


def not_viewed(sheet: Sheet) -> None:
    """Annotations that are hidden, or for print only, and a note whose text is in a window that is closed."""
    for flags in (HIDDEN, NO_VIEW, HIDDEN | PRINT, NO_VIEW | PRINT):
        x, y = _beside(sheet, "Note")
        annotate(sheet, "obsolete 4711", x=x, y=y, flags=flags, Subtype=Name.FreeText, Contents=String("obsolete 4711"))


def not_printed(sheet: Sheet) -> None:
    """An annotation that is viewed and not printed."""
    x, y = _beside(sheet, "Note")
    annotate(sheet, "for you", x=x, y=y, flags=0, Subtype=Name.FreeText)
    _see(sheet, "for you", x=x, y=y)


def text_fields(sheet: Sheet) -> None:
    for name in ("Name", "Town", "Amount"):
        value = sheet.chance.choice((sheet.chance.choice(texts.NAMES), texts.amount(sheet.chance)))
        x, y = _beside(sheet, name)
        annotate(
            sheet, value, x=x, y=y, Subtype=Name.Widget, FT=Name.Tx, T=String(name), V=String(value),
            DA=String("/F 10 Tf 0 g"),
        )  # fmt: skip
        _see(sheet, value, x=x, y=y)


def comb_field(sheet: Sheet) -> None:
    """A number whose digits stand in cells of their own."""
    value = str(sheet.chance.randint(10**7, 10**8 - 1))
    x, y = _beside(sheet, "Number")
    cell = 1.6 * sheet.size
    digits = " ".join(f"{0 if place == 0 else cell} 0 Td ({digit}) Tj" for place, digit in enumerate(value))
    _comb(sheet, value, x=x, y=y, cell=cell, operators=f"BT /F {sheet.size} Tf 4 {0.4 * sheet.size} Td {digits} ET")


def _comb(sheet: Sheet, value: str, *, x: float, y: float, cell: float, operators: str) -> None:
    left, bottom = sheet.canvas.absolutePosition(x, y)
    width, height = cell * len(value), 1.5 * sheet.size

    def change(pdf: pikepdf.Pdf) -> None:
        field = Dictionary(
            Type=Name.Annot, Subtype=Name.Widget, FT=Name.Tx, T=String("Number"), V=String(value), MaxLen=len(value),
            Ff=COMB, F=PRINT, DA=String(f"/F {sheet.size} Tf 0 g"),
            Rect=Array([left, bottom, left + width, bottom + height]),
            AP=Dictionary(N=_appearance(pdf, operators, width=width, height=height)),
        )  # fmt: skip
        pdf.pages[0].obj.Annots = Array([pdf.make_indirect(field)])
        pdf.Root.AcroForm = Dictionary(
            Fields=Array([pdf.pages[0].obj.Annots[0]]), DR=Dictionary(Font=Dictionary(F=_font())), DA=String("/F 10 Tf")
        )

    sheet.changes.append(change)
    sheet.see("", x, y)
    sheet.see_word(value, x, y + 0.4 * sheet.size, width=width, size=sheet.size)


def choice(sheet: Sheet) -> None:
    """A list to choose from: one sees the chosen value."""
    x, y = _beside(sheet, "Country")
    value = sheet.chance.choice(texts.NAMES)
    annotate(
        sheet, value, x=x, y=y, Subtype=Name.Widget, FT=Name.Ch, Ff=CHOICE_COMBO, T=String("Country"), V=String(value),
        Opt=Array([String(name) for name in texts.NAMES]), DA=String("/F 10 Tf 0 g"),
    )  # fmt: skip
    _see(sheet, value, x=x, y=y)


def button(sheet: Sheet) -> None:
    """A button with a caption."""
    y = sheet.down(30)
    annotate(
        sheet, "Submit form", x=LEFT, y=y, Subtype=Name.Widget, FT=Name.Btn, Ff=1 << 16, T=String("Submit"),
        MK=Dictionary(CA=String("Submit form")),
    )  # fmt: skip
    _see(sheet, "Submit form", x=LEFT, y=y)


def annotation_layers(sheet: Sheet) -> None:
    """Annotations in layers: one that is on, and one that is off."""
    groups: dict[bool, Any] = {}

    def layers(pdf: pikepdf.Pdf) -> None:
        for is_on in (True, False):
            groups[is_on] = pdf.make_indirect(Dictionary(Type=Name.OCG, Name=String(f"on {is_on}")))
        pdf.Root.OCProperties = Dictionary(
            OCGs=Array(list(groups.values())),
            D=Dictionary(OFF=Array([groups[False]]), Order=Array(list(groups.values()))),
        )
        for annotation, is_on in zip(pdf.pages[0].obj.Annots, (True, False), strict=True):
            annotation.OC = groups[is_on]

    for text in ("shown here", "obsolete"):
        x, y = _beside(sheet, "Layer")
        annotate(sheet, text, x=x, y=y, Subtype=Name.FreeText)
        if text == "shown here":
            _see(sheet, text, x=x, y=y)
    sheet.changes.append(layers)


def over_text(sheet: Sheet) -> None:
    """An annotation with white ground covers a line."""
    end = sheet.line("Old balance")
    x, y = end + sheet.size, sheet.y - 0.4 * sheet.size
    sheet.draw("4711.00", x + 4, sheet.y, font=FACE)
    value = texts.amount(sheet.chance) + " new"
    ground = f"q 1 g 0 0 400 {2 * sheet.size} re f Q BT /F {sheet.size} Tf 4 {0.4 * sheet.size} Td ({value}) Tj ET"
    annotate(sheet, value, x=x, y=y, operators=ground, Subtype=Name.FreeText)
    _see(sheet, value, x=x, y=y)


TRICKS = (
    free_text,
    stamp,
    watermark,
    not_viewed,
    not_printed,
    text_fields,
    comb_field,
    choice,
    button,
    annotation_layers,
    over_text,
)
