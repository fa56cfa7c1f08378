"""Fake recognition: slots whose pages take a fixed time, and a process that has nothing but such slots.

`python -m bench.growth.recognition` is a worker: it reads the settings from the environment and runs until SIGTERM.
"""

import asyncio
import random
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvloop

from bench import texts
from docserver.errors import Failure
from docserver.jobs.leases import Claim
from docserver.jobs.pipeline import Pipeline
from docserver.jobs.worker import Worker
from docserver.layout import Block, Line, Paragraph, Word, pack_blocks
from docserver.model import Reading, Source
from docserver.ocr.engine import Engine
from docserver.ocr.requests import Opened
from docserver.ocr.server.slot import Slot
from docserver.reading_options import Options
from docserver.resources import Resources, opened
from docserver.settings import Settings, load

ENGINE = Engine("fake", "1", {"eng": "sha256:0"}, "program", "")

WORDS = 528
"""Words of a page: a full page of prose, as in docs/decisions/words.md."""

GRACE_S = 10.0
"""Longest time for the last pages when a worker stops."""


def reading(seed: int) -> Reading:
    """A page of prose, as recognition gives it."""
    chance = random.Random(seed)
    paragraphs, top = [], 200
    for paragraph in texts.prose(chance, words=WORDS):
        lines, words = [], paragraph.split()
        for start in range(0, len(words), 12):
            lines.append(_line(chance, words[start : start + 12], top=top))
            top += 50
        paragraphs.append(Paragraph((200, lines[0].box[1], 2200, top), tuple(lines)))
        top += 30
    blocks = (Block((200, 200, 2200, top), tuple(paragraphs)),)
    text = "\n\n".join(
        "\n".join(" ".join(word.text for word in line.words) for line in each.lines) for each in paragraphs
    )
    return Reading(
        width=2480,
        height=3508,
        dpi=300,
        rotation=0,
        source=Source.OCR,
        confidence=93.5,
        needs_review=False,
        text=text,
        layout=pack_blocks(blocks),
        languages="eng",
    )


def _line(chance: random.Random, texts_of_words: Sequence[str], *, top: int) -> Line:
    words, left = [], 200
    for text in texts_of_words:
        right = left + 22 * len(text) + chance.randint(-4, 4)
        box = (left, top + chance.randint(-2, 2), right, top + 34 + chance.randint(-2, 2))
        words.append(Word(text, box, round(chance.uniform(85, 97), 2)))
        left = right + chance.randint(12, 18)
    return Line((200, top, left, top + 36), tuple(words))


READINGS = tuple(map(reading, range(20)))

NOWHERE = Path("/nonexistent")
"""Fake slots write no files."""


class FakeSlot(Slot):
    """A slot without a process. Pictures have one page; of other documents, the file's size is the number of pages."""

    def __init__(self, number: int, *, settings: Settings, recognise: Callable[[], Awaitable[Reading]]) -> None:
        super().__init__(number=number, settings=settings, engine=ENGINE, scratch=NOWHERE, cgroups=None)
        self._recognise = recognise

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def open(
        self,
        source: Path,
        content_type: str,
        *,
        reading: Options | None = None,
        password: str | None = None,  # noqa: ARG002 - a slot's signature
    ) -> Opened | Failure:
        pages = 1 if content_type.startswith("image/") else int(source.name)
        if reading is None or pages > 1:
            return Opened(pages=pages)
        return Opened(pages=pages, readings=(await self._recognise(),))

    async def read(self, source: Path, content_type: str, **how: Any) -> Reading | Failure:  # noqa: ARG002 - a slot's signature
        return await self._recognise()


class FakePipeline(Pipeline):
    """The pipeline, with slots that look at no file."""

    def __init__(self, resources: Resources, *, page_s: float) -> None:
        super().__init__(resources, scratch=NOWHERE)
        self.pages = 0
        """Pages that were read."""
        self._page_s = page_s
        self._page_read = asyncio.Event()

    async def read(self, pages: int) -> None:
        """Wait until so many pages were read."""
        while self.pages < pages:
            await self._page_read.wait()
            self._page_read.clear()

    def slot(self, number: int) -> Slot:
        return FakeSlot(number, settings=self._settings, recognise=self._recognise)

    async def _recognise(self) -> Reading:
        await asyncio.sleep(self._page_s)
        self.pages += 1
        self._page_read.set()
        return READINGS[self.pages % len(READINGS)]

    async def _source(self, claim: Claim, stack: AsyncExitStack) -> Path | Failure:  # noqa: ARG002 - the pipeline's signature
        return Path(str(claim.work.size))


async def work(settings: Settings, *, page_s: float) -> None:
    """Run the slots of one process until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with opened(settings, ENGINE) as resources:
        worker = Worker(FakePipeline(resources, page_s=page_s), resources.queue, slots=settings.slot_count)
        worker.start()
        await stop.wait()
        await worker.stop(grace_s=GRACE_S)


def main() -> None:
    # The first argument is how long a page takes, in seconds.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(load(dotenv=None), page_s=float(sys.argv[1])))


if __name__ == "__main__":
    main()
