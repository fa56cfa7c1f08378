"""Child side: lets an OCR process keep the memory that it frees, so that each page does not ask the kernel again."""

import ctypes
import gc
from contextlib import suppress

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt(3). Source: malloc.h of glibc."""

LARGEST_KEPT_BYTES = 4 << 20
"""Larger blocks go back to the kernel when they are freed. The drawing of a PDF page to verify its text has at most 2.5
MB; the picture of a page for OCR has more, and is read for so long that new memory costs nothing by comparison."""

MOST_KEPT_BYTES = 16 << 20
"""Freed memory at the end of the heap that is kept: as many drawings as are compared at a time."""

MANY_OBJECTS = 20_000
"""New objects after which Python looks for unused cycles of objects. A page of a PDF makes some thousand, none of them
in a cycle."""


def keep_freed(libc: ctypes.CDLL) -> None:
    """Keep memory that is freed, instead of giving it back to the kernel and getting it again, cleared, page by page.
    That took a fifth of the time in which a PDF page's text is read.
    """
    # Other C libraries than glibc have no mallopt.
    with suppress(AttributeError):
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, MOST_KEPT_BYTES)


def collect_seldom() -> None:
    """Look for unused cycles of objects less often, and never among what has been loaded until now."""
    gc.freeze()
    gc.set_threshold(MANY_OBJECTS)
