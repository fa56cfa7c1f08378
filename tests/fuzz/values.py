"""Strategies for what the fuzzers try: bytes that were damaged, texts, layouts, and readings of pages."""

from collections.abc import Sequence

from hypothesis import strategies as st

from docserver.elements import BARCODE_KINDS, Barcode, Elements, SelectionMark, Table, TableCell, pack_elements
from docserver.layout import Block, Line, Paragraph, Word, pack_blocks
from docserver.model import Reading, Source
from docserver.ocr.answer_checks import MAX_NUMBER

TRICKS = (
    b"",
    b"\x00",
    b"\xff",
    b"\r\n",
    b"\r\n\r\n",
    b"--",
    b'"',
    b";",
    b"\\",
    b"%00",
    b"=?",
    b"\xc3",
    b"\x00" * 4,
    b"\xff" * 4,
)


@st.composite
def damaged(draw: st.DrawFn, data: bytes, *, pieces: Sequence[bytes] = TRICKS) -> bytes:
    """The data with up to six places replaced, repeated, removed or cut off, most of them early."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(0, 6))):
        place = int(len(changed) * draw(st.floats(0, 1)) ** 3)
        length = draw(st.integers(0, 12))
        what = draw(st.sampled_from(("replace", "insert", "repeat", "cut")))
        piece = draw(st.sampled_from(pieces) | st.binary(max_size=8))
        match what:
            case "replace":
                changed[place : place + length] = piece
            case "insert":
                changed[place:place] = piece
            case "repeat":
                changed[place:place] = changed[place : place + 40 * length]
            case "cut":
                del changed[place : place + 40 * length]
    return bytes(changed)


texts = st.text(max_size=12) | st.sampled_from(
    ("", " ", "<&>\"'", "\x00", "\ufffe", "\x85", "\u2028", "שלום", "a\tb\nc", "-", "]]>")
)
"""Any characters but lone surrogates, which are in no UTF-8."""

coordinates = st.integers(0, 3000) | st.sampled_from((-MAX_NUMBER, -1, 0, 1, MAX_NUMBER))
boxes = st.tuples(coordinates, coordinates, coordinates, coordinates)
words = st.builds(Word, texts, boxes, st.floats(0, 100))
lines = st.builds(Line, boxes, st.lists(words, min_size=1, max_size=4).map(tuple))
paragraphs = st.builds(Paragraph, boxes, st.lists(lines, min_size=1, max_size=3).map(tuple))
blocks = st.builds(Block, boxes, st.lists(paragraphs, min_size=1, max_size=3).map(tuple))

barcodes = st.builds(
    Barcode,
    st.sampled_from(BARCODE_KINDS),
    texts,
    st.none(),
    st.just((0, 0, 1, 1)),
    st.integers(0, 359),
)

MARKS = (SelectionMark("selected", (0, 0, 1, 1), 95.0),)
cells = st.builds(
    TableCell, st.just(0), st.just(0), st.just(1), st.just(1), st.just((0, 0, 1, 1)), texts, st.booleans(), st.just(())
)
tables = st.builds(Table, st.just((0, 0, 1, 1)), st.just(1), st.just(1), st.tuples(cells))
elements = st.builds(
    Elements, st.lists(barcodes, max_size=3).map(tuple), st.lists(tables, max_size=2).map(tuple), st.just(MARKS)
)

readings = st.builds(
    Reading,
    width=st.integers(1, MAX_NUMBER),
    height=st.integers(1, MAX_NUMBER),
    dpi=st.none() | st.integers(1, MAX_NUMBER),
    rotation=st.sampled_from((0, 90, 180, 270)),
    source=st.sampled_from(Source),
    confidence=st.floats(0, 100),
    text=st.text(max_size=40),
    layout=st.lists(blocks, max_size=3).map(pack_blocks),
    languages=st.none() | st.sampled_from(("eng", "eng+deu")),
    needs_review=st.booleans(),
    packed_elements=elements.map(pack_elements),
)
"""Readings that an answer may hold, whatever a document says."""
