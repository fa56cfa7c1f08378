"""The options with which a client has a document read."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

AUTO = "auto"
"""Used in place of language names: each page is read in the installed language that fits the page."""


class Mode(StrEnum):
    """The source of the text of a PDF page."""

    AUTO = "auto"
    """From the page's text layer if that is good, else from OCR of the page's picture."""
    FORCE = "force"
    """Always from OCR of the page's picture."""


class Rotate(StrEnum):
    """What happens to pages that were scanned sideways or upside down."""

    AUTO = "auto"
    """They are turned upright before OCR."""
    OFF = "off"
    """They are read as they are."""


class EngineChoice(StrEnum):
    """The engines that read pictures."""

    AUTO = "auto"
    """Tesseract, and PP-OCR where Tesseract is not sure, if it is installed and reads the language."""
    TESSERACT = "tesseract"
    """Tesseract alone."""
    PPOCR = "ppocr"
    """PP-OCR wherever it reads the language."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options for reading a document."""

    languages: str
    """Tesseract's language names joined by `+`, the most important first; or AUTO."""
    pages: str | None = None
    """A selection such as `1-3,7`, or None for all."""
    mode: Mode = Mode.AUTO
    rotate: Rotate = Rotate.AUTO
    barcodes: bool = True
    """True to look for barcodes."""
    engine: EngineChoice = EngineChoice.AUTO

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Options":
        """The inverse of `as_json`."""
        return cls(
            languages=stored["languages"],
            pages=stored["pages"],
            mode=Mode(stored["mode"]),
            rotate=Rotate(stored["rotate"]),
            # Versions that stored no such option looked for no barcodes.
            barcodes=stored.get("barcodes", False),
            # Earlier releases store none.
            engine=EngineChoice(stored.get("engine", EngineChoice.AUTO)),
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "languages": self.languages,
            "mode": self.mode,
            "pages": self.pages,
            "rotate": self.rotate,
            "barcodes": self.barcodes,
            "engine": self.engine,
        }
