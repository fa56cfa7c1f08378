"""PDFs that are made to harm whoever opens or draws them: bombs, loops, lies, and reaches for other files."""

import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType

from tests.support.samples.pdf import pdf_of
from tests.support.samples.pictures import zeros_compressed

CATALOGUE = b"<< /Type /Catalog /Pages 2 0 R >>"
PAGES = b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>"
FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"


def stream(data: bytes, more: bytes = b"") -> bytes:
    return b"<< /Length %d %b >>\nstream\n%b\nendstream" % (len(data), more, data)


def packed(data: bytes, more: bytes = b"") -> bytes:
    return stream(zlib.compress(data), b"/Filter /FlateDecode " + more)


A4, A6 = b"0 0 595 842", b"0 0 298 420"


def page_of(content: bytes, *others: bytes, resources: bytes = b"", box: bytes = A6) -> bytes:
    """A PDF of one page; its content is object 4, and the others are numbered from 5."""
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [%b] /Contents 4 0 R /Resources << %b >> >>" % (box, resources)
    return pdf_of([CATALOGUE, PAGES, page, content, *others])


def picture_of(body: bytes) -> bytes:
    """A PDF whose page is this picture."""
    return page_of(stream(b"298 0 0 420 0 0 cm /X Do"), body, resources=b"/XObject << /X 5 0 R >>")


def picture(width: int, height: int, data: bytes, more: bytes) -> bytes:
    facts = b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray " % (width, height)
    return stream(data, facts + more)


def form(content: bytes, more: bytes = b"") -> bytes:
    return stream(content, b"/Type /XObject /Subtype /Form /BBox [0 0 595 842] " + more)


def page_tree(kids: bytes, count: bytes = b"1") -> bytes:
    return pdf_of(
        [
            CATALOGUE,
            b"<< /Type /Pages /Count %b /Kids [%b] >>" % (count, kids),
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] >>",
        ]
    )


def page_tree_deep(depth: int) -> bytes:
    kids = (b"<< /Type /Pages /Count 1 /Kids [%d 0 R] >>" % (number + 1) for number in range(3, 3 + depth))
    return pdf_of(
        [
            CATALOGUE,
            PAGES,
            *kids,
            b"<< /Type /Page /MediaBox [0 0 99 99] >>",
        ]
    )


def forms_doubling(levels: int) -> bytes:
    """Each form draws the next one twice: with 30 levels a thousand million times."""
    forms = [
        form(b"/F Do /F Do", b"/Resources << /XObject << /F %d 0 R >> >>" % (number + 1))
        for number in range(5, 5 + levels)
    ]
    return page_of(stream(b"/F Do"), *forms, form(b"0 0 m 9 9 l S"), resources=b"/XObject << /F 5 0 R >>")


def packed_times(data: bytes, times: int) -> bytes:
    """Packed again and again: a megabyte of zeros in a hundred bytes."""
    for _ in range(times):
        data = zlib.compress(data, 9)
    return stream(data, b"/Filter [%b]" % (b"/FlateDecode " * times))


def object_stream(count: int, first: int, data: bytes) -> bytes:
    return packed(data, b"/Type /ObjStm /N %d /First %d" % (count, first))


def cross_reference_stream(more: bytes) -> bytes:
    """A PDF whose cross-reference table is a stream (ISO 32000-1, 7.5.8)."""
    head = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
    table = b"9 0 obj\n" + packed(b"\0" * 100, b"/Type /XRef /Root 1 0 R " + more) + b"\nendobj\n"
    return head + table + b"startxref\n%d\n%%%%EOF\n" % len(head)


def tables_in_a_loop() -> bytes:
    """The trailer names its own table as the one before it."""
    data = page_tree(b"3 0 R")
    table = data.rindex(b"startxref\n") + len(b"startxref\n")
    place = data[table:].split(b"\n")[0]
    return data.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev " + place)


def many_objects(count: int) -> bytes:
    return pdf_of([CATALOGUE, PAGES, b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] >>", *[b"[]"] * count])


def outside(path: str) -> Mapping[str, bytes]:
    """PDFs that would show the picture or obey the content at a path, if their reader went for it."""
    name = path.encode()
    spec = b"<< /Type /Filespec /F (%b) /UF (%b) >>" % (name, name)
    url = b"<< /FS /URL /F (file://%b) >>" % name
    facts = b"/Type /XObject /Subtype /Image /Width 900 /Height 200 /BitsPerComponent 8 /ColorSpace /DeviceGray"
    return {
        "picture": picture_of(stream(b"", facts + b" /F %b /FFilter /DCTDecode" % spec)),
        "picture_by_name": picture_of(stream(b"", facts + b" /F (%b) /FFilter /DCTDecode" % name)),
        "picture_by_address": picture_of(stream(b"", facts + b" /F %b /FFilter /DCTDecode" % url)),
        "alternate_picture": picture_of(
            stream(b"", facts + b" /Alternates [<< /Image 6 0 R /DefaultForPrinting true >>] /F %b" % spec)
        ),
        "old_style_picture": picture_of(
            picture(9, 9, bytes(81), b"/BitsPerComponent 8 /OPI << /1.3 << /F %b >> >>" % spec)
        ),
        "content": page_of(stream(b"", b"/F %b" % spec), FONT, resources=b"/Font << /F1 5 0 R >>"),
        "page_of_another": page_of(
            stream(b"/X Do"), form(b"", b"/Ref << /F %b /Page 0 >>" % spec), resources=b"/XObject << /X 5 0 R >>"
        ),
        "font": page_of(
            stream(b"BT /F1 24 Tf 72 700 Td (read) Tj ET"),
            b"<< /Type /Font /Subtype /TrueType /BaseFont /X /FontDescriptor 6 0 R >>",
            b"<< /Type /FontDescriptor /FontName /X /Flags 32 /FontFile2 7 0 R >>",
            stream(b"", b"/F %b" % spec),
            resources=b"/Font << /F1 5 0 R >>",
        ),
        "launch": pdf_of(
            [
                b"<< /Type /Catalog /Pages 2 0 R /OpenAction << /S /Launch /F %b >> /AA << /WC << /S /JavaScript"
                b" /JS (app.launchURL\\('file://%b'\\)) >> >> >>" % (spec, name),
                PAGES,
                b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /AA << /O << /S /ImportData /F %b >> >> >>" % spec,
            ]
        ),
    }


PDFS: Mapping[str, Callable[[], bytes]] = MappingProxyType(
    {
        "pages_2_31": lambda: page_tree(b"3 0 R", b"2147483647"),
        "pages_minus_one": lambda: page_tree(b"3 0 R", b"-1"),
        "pages_of_themselves": lambda: page_tree(b"2 0 R", b"5"),
        "pages_again_and_again": lambda: page_tree(b"3 0 R " * 5_000, b"5000"),
        "pages_ten_thousand_deep": lambda: page_tree_deep(10_000),
        "pages_that_are_none": lambda: page_tree(b"1 0 R 2 0 R 99 0 R null", b"4"),
        "content_unpacks_to_a_gigabyte": lambda: page_of(stream(zeros_compressed(1 << 30), b"/Filter /FlateDecode")),
        "content_packed_three_times": lambda: page_of(packed_times(b"q " * (1 << 25), 3)),
        "content_of_ten_million_saves": lambda: page_of(packed(b"q " * 10_000_000)),
        "content_of_a_million_lines": lambda: page_of(
            packed(b"0 0 m 595 842 l 595 0 l 0 842 l b* " * 1_000_000), box=A4
        ),
        "content_of_a_hundred_thousand_large_areas": lambda: page_of(packed(b"0 0 595 842 re f " * 100_000), box=A4),
        "content_of_a_million_letters": lambda: page_of(
            packed(b"BT /F1 400 Tf 0 0 Td " + b"(%b) Tj " % (b"W" * 1_000) * 1_000 + b"ET"),
            FONT,
            resources=b"/Font << /F1 5 0 R >>",
        ),
        "content_of_a_million_brackets": lambda: page_of(packed(b"[" * 1_000_000)),
        "content_of_tiny_dashes": lambda: page_of(stream(b"[0.00001] 0 d 9 w 0 0 m 595 842 l S")),
        "content_is_its_own_length": lambda: page_of(b"<< /Length 4 0 R >>\nstream\nq Q\nendstream"),
        "filters_by_the_thousand": lambda: page_of(stream(b"00>", b"/Filter [%b]" % (b"/ASCIIHexDecode " * 10_000))),
        "predictor_of_2_31_columns": lambda: page_of(
            packed(bytes(100), b"/DecodeParms << /Predictor 15 /Columns 2147483647 /Colors 32 >>")
        ),
        "brackets_a_hundred_thousand_deep": lambda: page_of(stream(b""), b"[" * 100_000 + b"]" * 100_000),
        "brackets_deep_in_the_trailer": lambda: page_tree(b"3 0 R").replace(
            b"/Root", b"/X " + b"[" * 100_000 + b" /Root"
        ),
        "objects_by_the_hundred_thousand": lambda: many_objects(300_000),
        "object_stream_of_2_30": lambda: page_of(stream(b""), object_stream(1 << 30, 1 << 30, b"6 0")),
        "object_stream_unpacks_to_a_gigabyte": lambda: page_of(
            stream(b""), stream(zeros_compressed(1 << 30), b"/Type /ObjStm /N 1 /First 4 /Filter /FlateDecode")
        ),
        "object_stream_extends_itself": lambda: page_of(
            stream(b""), packed(b"6 0 null", b"/Type /ObjStm /N 1 /First 4 /Extends 5 0 R")
        ),
        "table_of_2_31_entries": lambda: cross_reference_stream(b"/Size 2147483647 /W [1 4 2]"),
        "table_of_wide_entries": lambda: cross_reference_stream(b"/Size 10 /W [2147483647 2147483647 2147483647]"),
        "table_before_itself": tables_in_a_loop,
        "sheet_of_10_9": lambda: page_of(stream(b""), box=b"0 0 1000000000 1000000000"),
        "sheet_without_area": lambda: page_of(stream(b""), box=b"0 0 0 0"),
        "sheet_of_no_numbers": lambda: page_of(stream(b""), box=b"/A (b) null [1]"),
        "sheet_inside_out": lambda: page_of(stream(b"0 0 m 9 9 l S"), box=b"595 842 0 0"),
        "sheet_long_and_thin": lambda: page_of(stream(b""), box=b"0 0 14400 0.001"),
        "unit_of_75000": lambda: page_of(stream(b"")).replace(b"/Type /Page ", b"/Type /Page /UserUnit 75000 "),
        "form_draws_itself": lambda: page_of(
            stream(b"/F Do"),
            form(b"/F Do", b"/Resources << /XObject << /F 5 0 R >> >>"),
            resources=b"/XObject << /F 5 0 R >>",
        ),
        "forms_doubling_30_times": lambda: forms_doubling(30),
        "letter_draws_itself": lambda: page_of(
            stream(b"BT /T 24 Tf 72 700 Td (a) Tj ET"),
            b"<< /Type /Font /Subtype /Type3 /FontBBox [0 0 9 9] /FontMatrix [1 0 0 1 0 0] /CharProcs << /a 6 0 R >>"
            b" /Encoding << /Differences [97 /a] >> /FirstChar 97 /LastChar 97 /Widths [9]"
            b" /Resources << /Font << /T 5 0 R >> >> >>",
            stream(b"9 0 d0 BT /T 1 Tf (aaaa) Tj ET"),
            resources=b"/Font << /T 5 0 R >>",
        ),
        "pattern_of_tiny_steps": lambda: page_of(
            stream(b"/Pattern cs /P scn 0 0 595 842 re f"),
            stream(
                b"0 0 1 1 re f",
                b"/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 1 1] /XStep 0.0001 /YStep 0.0001"
                b" /Resources << >>",
            ),
            resources=b"/Pattern << /P 5 0 R >>",
            box=A4,
        ),
        "mask_of_itself": lambda: page_of(
            stream(b"/G gs 0 0 595 842 re f"),
            b"<< /Type /ExtGState /SMask << /S /Luminosity /G 6 0 R >> >>",
            form(
                b"/G gs 0 0 99 99 re f",
                b"/Group << /S /Transparency /CS /DeviceGray >> /Resources << /ExtGState << /G 5 0 R >> >>",
            ),
            resources=b"/ExtGState << /G 5 0 R >>",
        ),
        "shading_of_a_huge_mesh": lambda: page_of(
            stream(b"/S sh"),
            packed(
                bytes(20_000_000),
                b"/ShadingType 5 /ColorSpace /DeviceGray /BitsPerCoordinate 8 /BitsPerComponent 8"
                b" /VerticesPerRow 1000 /Decode [0 595 0 842 0 1]",
            ),
            resources=b"/Shading << /S 5 0 R >>",
        ),
        "picture_of_100000": lambda: picture_of(
            picture(100_000, 100_000, zeros_compressed(1_250_000_000), b"/BitsPerComponent 1 /Filter /FlateDecode")
        ),
        "picture_of_2_31": lambda: picture_of(picture(2**31 - 1, 2**31 - 1, b"", b"/BitsPerComponent 8")),
        "picture_of_minus_one": lambda: picture_of(picture(-1, -1, b"", b"/BitsPerComponent 8")),
        "picture_masks_itself": lambda: picture_of(picture(9, 9, bytes(81), b"/BitsPerComponent 8 /SMask 5 0 R")),
        "picture_a_thousand_times": lambda: page_of(
            packed(b"q 595 0 0 842 0 0 cm /X Do Q " * 1_000),
            picture(4_000, 4_000, zeros_compressed(16_000_000), b"/BitsPerComponent 8 /Filter /FlateDecode"),
            resources=b"/XObject << /X 5 0 R >>",
            box=A4,
        ),
        "picture_of_fax_rows": lambda: picture_of(
            picture(
                60_000,
                300,
                b"\0" * 1_000,
                b"/BitsPerComponent 1 /Filter /CCITTFaxDecode /DecodeParms << /K -1 /Columns 60000 /Rows 1000000000 >>",
            )
        ),
        "picture_of_jbig2_rubbish": lambda: picture_of(
            picture(4_000, 4_000, bytes(range(256)) * 10, b"/BitsPerComponent 1 /Filter /JBIG2Decode")
        ),
        "picture_of_jpeg2000_rubbish": lambda: picture_of(
            picture(4_000, 4_000, b"\xff\x4f\xff\x51" + b"\xff" * 99, b"/Filter /JPXDecode")
        ),
        "colour_space_of_itself": lambda: page_of(
            stream(b"/C cs 1 sc 0 0 99 99 re f"),
            b"[/Indexed 5 0 R 255 (abc)]",
            resources=b"/ColorSpace << /C 5 0 R >>",
        ),
        "function_of_itself": lambda: page_of(
            stream(b"/S sh"),
            b"<< /ShadingType 2 /ColorSpace /DeviceGray /Coords [0 0 9 9] /Function 6 0 R >>",
            b"<< /FunctionType 3 /Domain [0 1] /Functions [6 0 R 6 0 R] /Bounds [0.5] /Encode [0 1 0 1] >>",
            resources=b"/Shading << /S 5 0 R >>",
        ),
        "notes_by_the_ten_thousand": lambda: page_of(
            stream(b""), b"<< /Type /Annot /Subtype /Square /Rect [0 0 9 9] >>"
        ).replace(b"/Contents", b"/Annots [%b] /Contents" % (b"5 0 R " * 20_000)),
        "encrypted_by_rubbish": lambda: page_tree(b"3 0 R").replace(
            b"/Root", b"/Encrypt << /Filter /Standard /V 9 >> /Root"
        ),
        "encrypted_by_itself": lambda: page_tree(b"3 0 R").replace(b"/Root", b"/Encrypt 1 0 R /Root"),
        "nothing_but_a_trailer": lambda: b"%PDF-1.7\ntrailer\n<< /Root 1 0 R >>\nstartxref\n0\n%%EOF\n",
        "start_beyond_the_end": lambda: page_tree(b"3 0 R").replace(b"startxref\n", b"startxref\n99999999999999999999"),
    }
)
"""Name → how it is made."""
