"""Makes the font of searchable PDFs, docserver/ocr/searchable/glyphless.ttf: `python -m tests.support.glyphless_font`.

The file is part of the package, so that the server needs no fontTools; a test makes it again and compares.
"""

import io
from pathlib import Path

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from docserver.ocr.searchable import glyphless_font
from docserver.ocr.searchable.glyphless_font import ADVANCE, EM, FONT_FILE, MAX_RISE, MAX_SINK, STEPS

WIDTH = int(EM * ADVANCE)


def build() -> bytes:
    """A TrueType font with one glyph for each FontVariant: a line without area from its lowest to its highest point."""
    glyphs = {".notdef": TTGlyphPen(None).glyph()}
    for rise in range(1, MAX_RISE + 1):
        for sink in range(MAX_SINK + 1):
            pen = TTGlyphPen(None)
            pen.moveTo((0, -sink * EM // STEPS))
            pen.lineTo((WIDTH, rise * EM // STEPS))
            pen.closePath()
            glyphs[f"r{rise}s{sink}"] = pen.glyph()
    builder = FontBuilder(EM, isTTF=True)
    builder.setupGlyphOrder(list(glyphs))
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (WIDTH, 0)))
    builder.setupHorizontalHeader(ascent=MAX_RISE * EM // STEPS, descent=-MAX_SINK * EM // STEPS)
    builder.setupMaxp()
    # The same bytes whenever it is made.
    builder.font["head"].created = builder.font["head"].modified = 0
    builder.font.recalcTimestamp = False
    file = io.BytesIO()
    builder.font.save(file)
    return file.getvalue()


if __name__ == "__main__":
    Path(glyphless_font.__file__).with_name(FONT_FILE).write_bytes(build())
