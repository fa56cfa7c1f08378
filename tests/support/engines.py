"""The installed Tesseract as slots are given it, in each way that it can be called."""

from docserver.ocr.engine import LIBRARY, PROGRAM, Engine, describe

BINDINGS = (LIBRARY, PROGRAM)


async def engine_of(binding: str = "auto") -> Engine:
    """The engine, called in this way."""
    return await describe(binding)
