"""Files that are not what they seem, broken off and damaged ones, and names that are tricks; bombs stand beside it."""

import random
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from tests.support import samples
from tests.support.hostile.pdf import PDFS
from tests.support.hostile.pictures import PICTURES, jpeg_with

__all__ = ["EXHAUSTING", "NAMES", "PDFS", "PICTURES", "POLYGLOTS", "POSING", "cut", "damaged"]

EXHAUSTING = frozenset(
    {
        "jpeg_of_a_thousand_scans",
        "content_unpacks_to_a_gigabyte",
        "content_packed_three_times",
        "content_of_ten_million_saves",
        "content_of_a_million_lines",
        "content_of_a_hundred_thousand_large_areas",
        "forms_doubling_30_times",
        "pattern_of_tiny_steps",
        "picture_a_thousand_times",
    }
)
"""Lawful as far as anyone can tell beforehand: these run into the bounds of time or memory, or crash their process."""

POLYGLOTS: Mapping[str, Callable[[], bytes]] = MappingProxyType(
    {
        "png_with_a_pdf_behind": lambda: samples.png() + samples.pdf_text("another text"),
        "png_with_a_zip_behind": lambda: samples.png() + samples.zip_(),
        "png_with_a_program_behind": lambda: samples.png() + b"\x7fELF" + bytes(500),
        "jpeg_with_a_page_in_its_comment": lambda: jpeg_with(0xFE, b"<html><script>alert(1)</script>"),
        "jpeg_with_php_in_its_comment": lambda: jpeg_with(0xFE, b"<?php system('id'); ?>"),
        "pdf_with_a_zip_behind": lambda: samples.pdf_text() + samples.zip_(),
        "tiff_with_a_pdf_behind": lambda: samples.tiff() + samples.pdf_text("another text"),
    }
)
"""Two kinds in one file: read as what they begin with."""

POSING: Mapping[str, bytes] = MappingProxyType(
    {
        "list_of_files": b"/etc/passwd\n/etc/hostname\n",
        "list_of_one_file": b"/etc/passwd",
        "address": b"http://127.0.0.1/picture.png\n",
        "postscript": samples.eps(),
        "postscript_in_a_dos_shell": b"\xc5\xd0\xd3\xc6" + bytes(28) + samples.eps(),
        "svg": samples.svg(),
        "svg_with_a_file": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "xml_with_an_entity": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        "vector_script": b"push graphic-context\nimage over 0,0 0,0 'label:@/etc/passwd'\npop graphic-context\n",
        "picture_as_c_source": b"#define a_width 8\n#define a_height 8\nstatic char a_bits[] = {0};\n",
        "picture_as_numbers": b"P3\n1 1\n255\n0 0 0\n",
        "picture_as_bytes": b"P6\n60000 60000\n255\n",
        "icon": b"\0\0\1\0\1\0\x10\x10\0\0\1\0\x20\0" + bytes(50),
        "layers": b"8BPS\0\1" + bytes(50),
        "slides": b"PK\3\4" + bytes(50),
        "program": b"\x7fELF" + bytes(50),
        "script_with_a_pdf_inside": b"#!/bin/sh\nexit\n" + samples.pdf_text(),
        "page_about_pdf": b"<html>\n<pre>\n%PDF-1.7 is the header, 1 0 obj the first line after it.\n</pre>\n",
        "gif_of_an_unknown_year": b"GIF99a" + bytes(50),
        "letters_that_begin_a_bitmap": b"BMW drives ahead of the others, and so it should.",
        "nothing_but_zeros": bytes(1_000),
    }
)
"""Files that are none of the kinds that are read; some readers would follow the paths in them."""

NAMES = (
    "../../../../etc/cron.d/job",
    "..",
    "/etc/passwd",
    "C:\\Windows\\system32\\drivers\\etc\\hosts",
    "..%2f..%2fetc%2fpasswd",
    "-c tessedit_create_pdf=1",
    "--help",
    "@list.txt",
    "$(touch planted).png",
    "`touch planted`.png",
    "a.png; touch planted",
    "a.png|touch planted",
    "txt:/etc/passwd",
    "a.png\u202efdp.exe",
    "a" * 5_000 + ".png",
    "scan\u0000.png",
    "line\u2028feed.png",
    ".htaccess",
    "con.png",
    "' OR 1=1; DROP TABLE documents; --.png",
    "<img src=x onerror=alert(1)>.png",
)
"""Names that somebody hopes will be used as a path, an option, a command, a query or a page."""

PLACES = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)


def cut(data: bytes) -> Iterator[bytes]:
    """The data as after a broken transfer, at every stage."""
    for place in PLACES:
        yield data[: max(1, int(place * len(data)))]
    yield data[:-1]


def damaged(data: bytes, *, seed: str, times: int) -> Iterator[bytes]:
    """The data with some bytes changed, the same for the same seed: most of them early, where the headers are."""
    choice = random.Random(seed)
    for _ in range(times):
        changed = bytearray(data)
        for _ in range(choice.randint(1, 20)):
            place = int(len(changed) * choice.random() ** 3)
            changed[place] = choice.choice((0, 1, 0x7F, 0x80, 0xFF, choice.randrange(256)))
        yield bytes(changed)
