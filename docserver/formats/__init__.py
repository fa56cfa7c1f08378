"""The formats of results. Each format has a module that writes it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from docserver.formats import alto, csv, hocr, html, json, md, tsv, txt
from docserver.model import Job, Page


@dataclass(frozen=True, slots=True)
class Format:
    """`name` as in `?format=`, `media_type` as in `Accept`, `extension` as in names of files."""

    name: str
    media_type: str
    extension: str


@dataclass(frozen=True, slots=True)
class TextFormat(Format):
    """A format that needs only the stored words, not the document itself."""

    write: Callable[[Job, Sequence[Page]], Iterator[bytes]]
    """Yields the result in pieces, about one per page, because the whole result may need much memory."""
    weight: float = 1.0
    """How long writing takes for each stored byte of the pages; 1 is about half a microsecond."""


TEXT_FORMATS: Mapping[str, TextFormat] = MappingProxyType(
    {
        text_format.name: text_format
        for text_format in (
            TextFormat("txt", txt.MEDIA_TYPE, "txt", txt.write, weight=0.05),
            TextFormat("json", json.MEDIA_TYPE, "json", json.write),
            TextFormat("tsv", tsv.MEDIA_TYPE, "tsv", tsv.write),
            TextFormat("hocr", hocr.MEDIA_TYPE, "hocr.html", hocr.write),
            TextFormat("alto", alto.MEDIA_TYPE, "alto.xml", alto.write),
            TextFormat("md", md.MEDIA_TYPE, "md", md.write, weight=2.5),
            TextFormat("csv", csv.MEDIA_TYPE, "csv", csv.write, weight=0.2),
            # Accept cannot ask for it: `text/html` is hOCR.
            TextFormat("html", html.MEDIA_TYPE, "html", html.write, weight=0.2),
        )
    }
)
"""All text formats by name."""

JSON_PAGE = TextFormat("json", json.MEDIA_TYPE, "json", json.write_page)
"""The JSON of a single page."""

PDF = Format("pdf", "application/pdf", "pdf")
"""The searchable PDF. It is made from the document and its words, in an OCR process."""

PDFA = Format("pdfa", PDF.media_type, PDF.extension)
"""The same as PDF/A-2b, for archives. Its media type is that of any PDF, so Accept cannot ask for it."""

PDFS = (PDF, PDFA)

FORMATS: Mapping[str, Format] = MappingProxyType({**TEXT_FORMATS, PDF.name: PDF, PDFA.name: PDFA})
"""All formats that clients can request, by name."""
