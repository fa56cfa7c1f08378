"""Child side: PDFium's functions that are called for each object or character of a page. Judges nothing.

A browser's page has thousands of objects. With addresses in place of ctypes' pointers, a call takes two thirds of the
time, and half of it where Python has no loop over the calls.
"""

import struct
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from ctypes import CFUNCTYPE, addressof, c_double, c_int, c_ulong, c_void_p, cast, sizeof
from itertools import accumulate, chain, compress, repeat
from typing import Any

import numpy as np
import numpy.typing as npt
import pypdfium2.raw as pdfium

from docserver.layout import Rect, around

Sides = npt.NDArray[np.float64]
"""Rows of left, bottom, right and top, in points."""


def _with_addresses(function: Any, *arguments: Any, result: Any = c_int) -> Any:
    """A function of PDFium that takes addresses and numbers."""
    return CFUNCTYPE(result, *arguments)(cast(function, c_void_p).value or 0)


_ADDRESS, _INDEX = c_void_p, c_int

_NUMBER = sizeof(c_double)

# Of objects.
_object_of_page = _with_addresses(pdfium.FPDFPage_GetObject, _ADDRESS, _INDEX, result=_ADDRESS)
_object_of_form = _with_addresses(pdfium.FPDFFormObj_GetObject, _ADDRESS, c_ulong, result=_ADDRESS)
_kind = _with_addresses(pdfium.FPDFPageObj_GetType, _ADDRESS)
_bounds = _with_addresses(pdfium.FPDFPageObj_GetBounds, *[_ADDRESS] * 5)
_mark = _with_addresses(pdfium.FPDFPageObj_GetMark, _ADDRESS, c_ulong, result=_ADDRESS)
_set_active = _with_addresses(pdfium.FPDFPageObj_SetIsActive, _ADDRESS, c_int)
count_marks = _with_addresses(pdfium.FPDFPageObj_CountMarks, _ADDRESS)
fill_colour = _with_addresses(pdfium.FPDFPageObj_GetFillColor, *[_ADDRESS] * 5)
font_of = _with_addresses(pdfium.FPDFTextObj_GetFont, _ADDRESS, result=_ADDRESS)
render_mode = _with_addresses(pdfium.FPDFTextObj_GetTextRenderMode, _ADDRESS)

# Of characters. The first argument is the address of the page's text.
_index_in_text = _with_addresses(pdfium.FPDFText_GetCharIndexFromTextIndex, _ADDRESS, _INDEX)
count_rects = _with_addresses(pdfium.FPDFText_CountRects, _ADDRESS, _INDEX, c_int)
font_size = _with_addresses(pdfium.FPDFText_GetFontSize, _ADDRESS, _INDEX, result=c_double)
has_no_mapping = _with_addresses(pdfium.FPDFText_HasUnicodeMapError, _ADDRESS, _INDEX)
ink = _with_addresses(pdfium.FPDFText_GetCharBox, _ADDRESS, _INDEX, *[_ADDRESS] * 4)
is_generated = _with_addresses(pdfium.FPDFText_IsGenerated, _ADDRESS, _INDEX)
matrix = _with_addresses(pdfium.FPDFText_GetMatrix, _ADDRESS, _INDEX, _ADDRESS)
object_of_character = _with_addresses(pdfium.FPDFText_GetTextObject, _ADDRESS, _INDEX, result=_ADDRESS)
origin = _with_addresses(pdfium.FPDFText_GetCharOrigin, _ADDRESS, _INDEX, *[_ADDRESS] * 2)
rect = _with_addresses(pdfium.FPDFText_GetRect, _ADDRESS, _INDEX, *[_ADDRESS] * 4)
room = _with_addresses(pdfium.FPDFText_GetLooseCharBox, _ADDRESS, _INDEX, _ADDRESS)


def address_of(pointer: Any) -> int:
    """The address in a pointer of ctypes, which identifies an object of PDFium; 0 if there is no object."""
    return addressof(pointer.contents) if pointer else 0


def object_at(address: int) -> Any:
    """What ctypes takes for a pointer to the page object at an address."""
    return pdfium.struct_fpdf_pageobject_t__.from_address(address)


def mark_at(address: int) -> Any:
    """The same for a mark."""
    return pdfium.struct_fpdf_pageobjectmark_t__.from_address(address)


def objects_of_page(page: Any, count: int) -> list[int]:
    """The addresses of a page's first objects."""
    return list(map(_object_of_page, repeat(address_of(page.raw)), range(count)))


def objects_of_form(form: int, count: int) -> list[int]:
    """The addresses of the first objects of a form."""
    return list(map(_object_of_form, repeat(form), range(count)))


def kinds_of(objects: Iterable[int]) -> list[int]:
    return list(map(_kind, objects))


def bounds_of(objects: Collection[int]) -> Sides:
    """The bounds of objects in the coordinates of the page, or of the forms that they are in."""
    return _filled(_bounds, objects, np.float32).astype(np.float64)


def fill_colours_of(objects: Collection[int]) -> npt.NDArray[np.uint32]:
    """Rows of red, green, blue and alpha."""
    return _filled(fill_colour, objects, np.uint32)


def marks_of(objects: Collection[int]) -> Iterator[tuple[int, int]]:
    """The addresses of objects and of their marks, such as of layers. Several objects may have the same one."""
    counts = list(map(count_marks, objects))
    owners = list(chain.from_iterable(map(repeat, objects, counts)))
    return zip(owners, map(_mark, owners, chain.from_iterable(map(range, counts))), strict=True)


def set_active(objects: Iterable[int], *, active: bool) -> None:
    """Let PDFium draw and read objects, or ignore them."""
    deque(map(_set_active, objects, repeat(int(active))), maxlen=0)


def objects_of_characters(text: int, indexes: Iterable[int]) -> list[int]:
    """The address of the text object that draws each of these characters; 0 if none does."""
    return [address or 0 for address in map(object_of_character, repeat(text), indexes)]


def matrices_of_characters(text: int, indexes: Collection[int]) -> npt.NDArray[np.float64]:
    """Rows of a, b, c and d of the matrix of each of these characters. A font size below 0 turns them around."""
    matrices = unsigned_matrices(text, indexes)
    sizes = np.fromiter(map(font_size, repeat(text), indexes), np.float64, len(indexes))
    matrices[sizes < 0] *= -1
    return matrices


def unsigned_matrices(text: int, indexes: Collection[int]) -> npt.NDArray[np.float64]:
    """The same without regard to font sizes."""
    rows = np.zeros((len(indexes), 6), np.float32)
    deque(map(matrix, repeat(text), indexes, _cells(rows)[0]), maxlen=0)
    return rows[:, :4].astype(np.float64)


def rooms_of_characters(text: int, indexes: Collection[int]) -> list[Rect]:
    """The room that the font has for each of these characters, as it lies on the page."""
    rooms = (pdfium.FS_RECTF * len(indexes))()
    deque(map(room, repeat(text), indexes, places(rooms, pdfium.FS_RECTF)), maxlen=0)
    return [(left, bottom, right, top) for left, top, right, bottom in struct.iter_unpack("4f", rooms)]


def without_mapping(text: int, indexes: Collection[int]) -> set[int]:
    """Those of these characters that their font does not map."""
    answers = list(map(has_no_mapping, repeat(text), indexes))
    # Most pages have none.
    return {index for index, answer in zip(indexes, answers, strict=True) if answer == 1} if 1 in answers else set()


def bounds_of_characters(text: int, spans: Collection[tuple[int, int]]) -> list[tuple[Rect, int]]:
    """The rectangle around the characters from each first index to the second one, and the number of text objects that
    draw them; a rectangle of zeros if none does.
    """
    rows = np.zeros((sum([end - first for first, end in spans]), 4))
    left = rows.ctypes.data
    counts = []
    for first, end in spans:
        count = count_rects(text, first, end - first)
        counts.append(count)
        for number in range(count):
            rect(text, number, left, left + _NUMBER, left + 2 * _NUMBER, left + 3 * _NUMBER)
            left += 4 * _NUMBER
    # PDFium gives the upper side before the lower one.
    sides = (rows[: sum(counts), side].tolist() for side in (0, 3, 2, 1))
    parts: list[Rect] = list(zip(*sides, strict=True))
    if len(parts) == len(counts) and min(counts, default=1):
        return list(zip(parts, counts, strict=True))
    return [(_around(parts[end - count : end]), count) for count, end in zip(counts, accumulate(counts), strict=True)]


def _around(parts: Sequence[Rect]) -> Rect:
    return around(parts) if len(parts) > 1 else parts[0] if parts else (0.0, 0.0, 0.0, 0.0)


def origins_of_characters(text: int, indexes: Collection[int]) -> npt.NDArray[np.float64]:
    """Rows of x and y where each of these characters begins on its baseline."""
    rows = np.zeros((len(indexes), 2))
    deque(map(origin, repeat(text), indexes, *_cells(rows)), maxlen=0)
    return rows


def font_sizes(text: int, indexes: Collection[int]) -> npt.NDArray[np.float64]:
    """Those of these characters, without their signs."""
    return np.abs(np.fromiter(map(font_size, repeat(text), indexes), np.float64, len(indexes)))


def origins_of_units(text: int, units: Collection[int]) -> list[tuple[int, int, float]]:
    """Those of these units of the text that are of characters, with the index of the character, and where this begins
    along the x axis.
    """
    indexes = list(map(_index_in_text, repeat(text), units))
    xs, y = (c_double * len(units))(), c_double()
    are_known = list(map(origin, repeat(text), indexes, places(xs, c_double), repeat(addressof(y))))
    return list(compress(zip(units, indexes, xs[:], strict=True), are_known))


def places(values: Any, kind: Any) -> range:
    """The addresses of the values of an array."""
    return range(addressof(values), addressof(values) + sizeof(values), sizeof(kind))


def _filled(function: Any, objects: Collection[int], kind: Any) -> npt.NDArray[Any]:
    """Rows of the four numbers that a function writes for each object."""
    rows = np.zeros((len(objects), 4), kind)
    deque(map(function, objects, *_cells(rows)), maxlen=0)
    return rows


def _cells(rows: npt.NDArray[Any]) -> list[range]:
    """The addresses of the numbers in each column."""
    start, width = rows.ctypes.data, rows.itemsize * rows.shape[1]
    return [range(first, first + rows.nbytes, width) for first in range(start, start + width, rows.itemsize)]
