"""JSON: pages, blocks, lines and words with boxes and confidences."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

import orjson

from docserver.elements import Elements
from docserver.layout import Block, EngineName, Word, engine_of
from docserver.model import Job, Page, Reading, Source, failure_json

MEDIA_TYPE = "application/json"

_ELEMENTS = [field.name for field in fields(Elements)]


def write(job: Job, pages: Sequence[Page]) -> Iterator[bytes]:
    """Yields UTF-8. The same input always gives the same bytes."""
    head = {
        "job_id": str(job.id),
        "document_id": str(job.document_id),
        "engine": dict(job.engine) if job.engine is not None else None,
    }
    yield orjson.dumps(head).removesuffix(b"}") + b',"pages":['
    for place, page in enumerate(pages):
        yield (b"," if place else b"") + orjson.dumps(page_object(page))
    yield b"]}"


def write_page(job: Job, pages: Sequence[Page]) -> Iterator[bytes]:  # noqa: ARG001 - all formats have one signature
    """Yields UTF-8: a single page, in the same form as an item of `pages` in a result."""
    (page,) = pages
    yield orjson.dumps(page_object(page))


def page_object(page: Page) -> dict[str, Any]:
    """One page of the result: its number, and its text or its error."""
    if page.reading:
        return {"number": page.number, **_reading_object(page.reading)}
    # Only pages that are read, or that could not be read, become results.
    assert page.failure
    return {"number": page.number, "error": {**failure_json(page.failure), "page": page.number}}


def _reading_object(reading: Reading) -> dict[str, Any]:
    elements = reading.elements
    return {
        "width": reading.width,
        "height": reading.height,
        "dpi": reading.dpi,
        "rotation": reading.rotation,
        "source": reading.source,
        "languages": reading.languages,
        "confidence": reading.confidence,
        "needs_review": reading.needs_review,
        "text": reading.text,
        "blocks": [_block_object(block, reading.source_of(block)) for block in reading.blocks],
        **{name: getattr(elements, name) for name in _ELEMENTS},
    }


def _block_object(block: Block, source: Source) -> dict[str, Any]:
    engine = None if source is Source.TEXT_LAYER else engine_of(block)
    return {
        "box": block.box,
        "source": source,
        **({"engine": engine} if engine else {}),
        "lines": [
            {
                "box": line.box,
                "paragraph": number,
                "confidence": line.confidence,
                "words": [_word_object(word, engine) for word in line.words],
            }
            for number, paragraph in enumerate(block.paragraphs, start=1)
            for line in paragraph.lines
        ],
    }


def _word_object(word: Word, engine: EngineName | None) -> dict[str, Any]:
    """The word. It names its engine if most of the block was read by another one."""
    of_word = {} if engine in (word.engine, None) else {"engine": word.engine}
    return {"text": word.text, "box": word.box, "confidence": word.confidence, **of_word}
