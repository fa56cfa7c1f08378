"""Compares docserver's engines, and what people use instead, on pages that are hard to read: how much each reads right,
and the CPU time it takes.

`python -m bench.engines` reads eight pages of each group, `--quick` two. docserver's engines read in this process.
"""

import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from PIL import Image

from bench import camera, pages
from bench.accuracy import error_rate
from bench.pages import Page
from bench.peers import Peer
from bench.peers.ocrmypdf import OcrMyPdf
from bench.peers.plain import Plain
from bench.peers.scripts import Script
from bench.workloads import Upload
from docserver.ocr.child import tasks
from docserver.ocr.engine import Engine, describe, second_engine
from docserver.ocr.limits import Limits
from docserver.ocr.requests import ReadPage
from docserver.reading_options import EngineChoice, Options
from docserver.setting_types import SandboxMode

PAGES, QUICK_PAGES = 8, 2


def receipt(seed: int) -> Page:
    page = pages.receipt(seed)
    return pages.with_image(page, camera.photographed(page.image, seed).convert("L"))


def small_letter(seed: int) -> Page:
    """A letter with as few pixels as a fax or a picture in a message has."""
    page = pages.letter(seed, dpi=100)
    return pages.with_image(page, camera.scanned(page.image, seed, dpi=300))


def copied_letter(seed: int) -> Page:
    """A small letter that was copied: letters are broken, or run together."""
    page = small_letter(seed)
    threshold = random.Random(seed).choice((130, 150, 170, 190))
    return pages.with_image(page, page.image.convert("L").point(lambda level: 255 * (level > threshold)))


def letter(seed: int) -> Page:
    page = pages.letter(seed, dpi=200)
    return pages.with_image(page, camera.scanned(page.image, seed, dpi=200))


GROUPS: Mapping[str, Callable[[int], Page]] = MappingProxyType(
    {"receipts": receipt, "small letters": small_letter, "copied letters": copied_letter, "letters": letter}
)


def word_f1(truth: str, read: str) -> float:
    """The harmonic mean of the shares of words that are right and that were found, whatever their order."""
    wanted, found = Counter(truth.split()), Counter(read.split())
    total = wanted.total() + found.total()
    return 2 * (wanted & found).total() / total if total else 1.0


PEERS: Sequence[Peer] = (
    Plain(),
    Script("RapidOCR", "bench.peers.rapidocr_script", needs="cv2"),
    OcrMyPdf(others=()),
    Script("kreuzberg", "bench.peers.kreuzberg", needs="kreuzberg"),
)


def main() -> None:
    """Print a table: for each group and engine or peer, word F1, wrong characters and CPU seconds a page."""
    count = QUICK_PAGES if "--quick" in sys.argv else PAGES
    engine, second = asyncio.run(describe("auto")), second_engine()
    if second is None:
        raise SystemExit("PP-OCR is not installed; see docs/reading.md")
    with tempfile.TemporaryDirectory(prefix="docserver-bench-") as directory:
        limits = _limits(Path(directory), engine, second.directory)
        print("| group | reader | word F1 | wrong characters | CPU seconds a page |")
        print("|---|---|---|---|---|")
        for group, draw in GROUPS.items():
            drawn = [draw(seed) for seed in range(count)]
            for choice in EngineChoice:
                _read(drawn[0].image, choice, limits)
                began = time.process_time()
                texts = [_read(page.image, choice, limits) for page in drawn]
                _show(group, f"docserver, {choice}", drawn, texts, cpu_s=time.process_time() - began)
            for peer in PEERS:
                if peer.missing():
                    print(f"| {group} | {peer.name} | {peer.missing()} is not installed | | |", flush=True)
                else:
                    texts, cpu_s = _read_by(peer, drawn)
                    _show(group, peer.name, drawn, texts, cpu_s=cpu_s)


def _show(group: str, reader: str, drawn: Sequence[Page], texts: list[str], *, cpu_s: float) -> None:
    truths = [page.text for page in drawn]
    f1 = sum(map(word_f1, truths, texts)) / len(drawn)
    wrong = error_rate(truths, texts)
    print(f"| {group} | {reader} | {f1:.3f} | {wrong:.1%} | {cpu_s / len(drawn):.2f} |", flush=True)


def _read_by(peer: Peer, drawn: Sequence[Page]) -> tuple[list[str], float]:
    """What a peer reads, and the CPU seconds it takes."""
    with tempfile.TemporaryDirectory(prefix="docserver-bench-") as directory:
        uploads = []
        for number, page in enumerate(drawn):
            path = Path(directory) / f"{number}.png"
            page.image.save(path)
            uploads.append(Upload(path.name, b"", (page.text,)))
        outcome = peer.read(uploads, Path(directory))
    return outcome.texts, outcome.cpu_s


def _read(image: Image.Image, choice: EngineChoice, limits: Limits) -> str:
    source = Path(limits.scratch) / "page.png"
    image.save(source)
    request = ReadPage(content_type="image/png", page=1, options=Options("eng", engine=choice))
    return tasks.read_page(request, str(source), limits).text


def _limits(directory: Path, engine: Engine, models: str) -> Limits:
    return Limits(
        scratch=str(directory),
        source=str(directory),
        sandbox=SandboxMode.OFF,
        memory_mb=2048,
        max_pages=1,
        max_page_pixels=100_000_000,
        pdf_dpi=300,
        call_s=600,
        binding=engine.binding,
        tessdata=engine.tessdata,
        candidates=("eng",),
        ppocr=models,
        review_below=80,
    )


if __name__ == "__main__":
    main()
