"""The workloads: documents with their texts, made from seeds. Measures nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from bench import camera, files, pages
from bench.pages import Page

PDF_DPI = 300

DIFFERENT_PAGES = 20
"""A long PDF repeats this many images; to make hundreds would take longer than to read them."""

LONG_PAGE_WORDS = 120
"""Short letters, so that the long PDF does not take longer than all other workloads."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One document."""

    filename: str
    data: bytes
    texts: tuple[str, ...]
    """The text of each page."""

    @property
    def pages(self) -> int:
        return len(self.texts)


@dataclass(frozen=True, slots=True)
class Workload:
    """Documents that have something in common."""

    name: str
    description: str
    make: Callable[[int, int], list[Upload]]
    """Takes a first seed and a size: the number of pages or documents."""
    size: int
    quick_size: int
    rounds: int = 3


def _picture(seed: int, page: Page, kind: str) -> Upload:
    return Upload(f"{seed}.{kind}", files.encoded(page.image, kind, dpi=page.dpi), (page.text,))


def scan(seed: int) -> Upload:
    """A clean scan at 300 dpi, grey or in colour, as PNG, JPEG or TIFF."""
    page = pages.letter(seed)
    image = camera.scanned(page.image, seed, colour=seed % 2 == 1)
    return _picture(seed, pages.with_image(page, image), files.KINDS[seed % 3])


def office_scan(seed: int) -> Upload:
    """From an office machine: grey at 200 dpi, one bit per pixel at 300, or colour JPEG at 240."""
    dpi, kind = ((200, "png"), (300, "tiff"), (240, "jpeg"))[seed % 3]
    page = pages.letter(seed, dpi=dpi)
    if kind == "tiff":
        image = camera.bilevel(page.image, seed)
    else:
        image = camera.scanned(page.image, seed, colour=kind == "jpeg", dpi=dpi)
    return _picture(seed, pages.with_image(page, image), kind)


def fine_scan(seed: int) -> Upload:
    page = pages.letter(seed, dpi=600)
    return _picture(seed, pages.with_image(page, camera.scanned(page.image, seed, dpi=600)), "jpeg")


def photo(seed: int) -> Upload:
    page = pages.letter(seed, dpi=250)
    return _picture(seed, pages.with_image(page, camera.photographed(page.image, seed)), "jpeg")


def receipt(seed: int) -> Upload:
    page = pages.receipt(seed)
    return _picture(seed, pages.with_image(page, camera.rubbed(page.image, seed)), "jpeg")


def snippet(seed: int) -> Upload:
    page = pages.snippet(seed)
    return _picture(seed, pages.with_image(page, camera.scanned(page.image, seed)), "png")


def turned(seed: int) -> Upload:
    page = pages.letter(seed)
    return _picture(seed, pages.with_image(page, camera.turned(page.image, seed)), "jpeg")


def askew(seed: int) -> Upload:
    page = pages.letter(seed)
    return _picture(seed, pages.with_image(page, camera.askew(page.image, seed)), "jpeg")


def scanned_pdf(seed: int, count: int, *, words: int = pages.WORDS) -> Upload:
    """Grey scans in one PDF."""
    seeds = range(seed, seed + min(count, DIFFERENT_PAGES))
    originals = [pages.letter(page_seed, words=words) for page_seed in seeds]
    images = [camera.scanned(page.image, page_seed) for page_seed, page in zip(seeds, originals, strict=True)]
    order = [number % len(images) for number in range(count)]
    data = files.scanned_pdf([images[number] for number in order], dpi=PDF_DPI)
    return Upload(f"scan-{seed}.pdf", data, tuple(originals[number].text for number in order))


def digital_pdf(seed: int, count: int) -> Upload:
    """Pages with their own text in one PDF."""
    written = tuple(pages.letter(page_seed, dpi=72).text for page_seed in range(seed, seed + count))
    return Upload(f"digital-{seed}.pdf", files.digital_pdf(written, seed=seed), written)


def mixed(seed: int, size: int) -> list[Upload]:
    """The first `size` documents of an office's day, which has some of each kind."""
    day: tuple[Callable[[int], Upload], ...] = (
        scan,
        snippet,
        lambda seed: scanned_pdf(seed, 4),
        photo,
        lambda seed: digital_pdf(seed, 4),
        office_scan,
        receipt,
        snippet,
        turned,
        scan,
        askew,
        snippet,
        fine_scan,
        office_scan,
        snippet,
        scan,
    )
    return [make(seed + number) for number, make in enumerate(day[:size])]


def _each(make: Callable[[int], Upload]) -> Callable[[int, int], list[Upload]]:
    return lambda seed, size: [make(upload_seed) for upload_seed in range(seed, seed + size)]


_ALL: Sequence[Workload] = (
    Workload("scans", "A4 at 300 dpi, grey and colour, PNG, JPEG, TIFF", _each(scan), 9, 2),
    Workload("office scans", "200 dpi grey, 300 dpi one bit, 240 dpi colour", _each(office_scan), 9, 2),
    Workload("fine scans", "A4 at 600 dpi, grey JPEG", _each(fine_scan), 4, 1),
    Workload("photos", "by phone: perspective, uneven light, blur, noise", _each(photo), 6, 1),
    Workload("receipts", "narrow, long, faded, few pixels", _each(receipt), 12, 2),
    Workload("snippets", "pictures of one line", _each(snippet), 100, 16),
    Workload("turned", "on the side and upside down, 300 dpi", _each(turned), 6, 1),
    Workload("askew", "by 2 to 7 degrees, 300 dpi", _each(askew), 6, 1),
    Workload(
        "digital PDF", "one PDF whose pages have their own text", lambda seed, size: [digital_pdf(seed, size)], 40, 6
    ),
    Workload("mixed", "an office's day: pictures and PDFs of all these kinds", mixed, 16, 5),
    Workload(
        "long PDF",
        "one scanned PDF of 300 pages",
        lambda seed, size: [scanned_pdf(seed, size, words=LONG_PAGE_WORDS)],
        300,
        8,
        rounds=1,
    ),
)

WORKLOADS = MappingProxyType({workload.name: workload for workload in _ALL})
