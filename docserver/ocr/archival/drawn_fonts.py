"""Child side: checks fonts of Type 3, whose glyphs are drawn by operators (ISO 19005-2, 6.2.11)."""

from collections.abc import Callable, Mapping
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Stream

from docserver.ocr.archival.fonts import MAX_DIFFERENCE, widths_of
from docserver.ocr.archival.unfit import Unfit


class DrawnFont:
    """A font of Type 3, whose glyphs are drawn by operators."""

    def __init__(self, font: Object, check_glyph: Callable[[Stream], None]) -> None:
        self._widths = widths_of(font)
        self._glyphs = _drawn_glyphs(font)
        self._fit: set[int] = set()
        _check_glyphs(font, check_glyph)

    def check(self, shown: bytes, *, visible: bool) -> None:  # noqa: ARG002 - its glyphs are there to be drawn
        for code in set(shown) - self._fit:
            glyph = self._glyphs.get(code)
            if not isinstance(glyph, Stream):
                raise Unfit("a text has no glyph")
            first: Any = next(iter(pikepdf.parse_content_stream(glyph)), None)
            if first is None or str(first.operator) not in ("d0", "d1"):
                raise Unfit("a glyph does not say its width")
            if abs(float(first.operands[0]) - self._widths.get(code, 0.0)) > MAX_DIFFERENCE:
                raise Unfit("a font has other widths than the PDF says")
            self._fit.add(code)


def _check_glyphs(font: Object, check_glyph: Callable[[Stream], None]) -> None:
    """Check all glyphs, also those that no text shows."""
    procedures, resources = font.get(Name.CharProcs), font.get(Name.Resources)
    if not isinstance(procedures, Dictionary):
        raise Unfit("a font is invalid")
    for glyph in procedures.values():
        if not isinstance(glyph, Stream):
            raise Unfit("a glyph is missing")
        if resources is not None and Name.Resources not in glyph:
            glyph.Resources = resources
        check_glyph(glyph)


def _drawn_glyphs(font: Object) -> Mapping[int, Any]:
    procedures, encoding = font.get(Name.CharProcs), font.get(Name.Encoding)
    if not isinstance(procedures, Dictionary) or not isinstance(encoding, Dictionary):
        raise Unfit("a font is invalid")
    found, code = {}, 0
    for entry in encoding.get(Name.Differences, Array()):
        if isinstance(entry, int):
            code = entry
        else:
            found[code] = procedures.get(str(entry))
            code += 1
    return found
