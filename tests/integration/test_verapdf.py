"""PDF/As of all kinds of documents, checked by veraPDF."""

from dataclasses import replace
from pathlib import Path

import pikepdf

from docserver.ocr.child import pdf_making
from docserver.ocr.requests import MakeSearchable
from docserver.pdf_options import PdfOptions
from tests.support.limits import LIMITS
from tests.support.pages import failed, page
from tests.support.samples import KINDS, PAGES, pdf_owner_locked, pdf_scanned, png
from tests.support.samples.pdf_layers import PROSE, both, hidden, in_subset_font, in_unmapped_font, lines, pdf, scan
from tests.support.samples.sheet import sheet
from tests.support.verapdf import broken_rules

PDF = "application/pdf"
WORDS = page("The quick brown fox\njumps over the lazy dog")

PDFS = {
    "embedded": pdf(in_subset_font(PROSE), in_unmapped_font(PROSE, x=72, top=700)),
    "not embedded": pdf(lines(PROSE), both(in_subset_font(PROSE), lines(PROSE, top=500))),
    "hidden text": pdf(both(scan(PROSE), hidden(PROSE))),
    "locked": pdf_owner_locked(),
    "scanned": pdf_scanned(PAGES),
    "turned": sheet(rotate=90, crop=(10, 10, 400, 500)),
}


def made(name: str, data: bytes, content_type: str, tmp_path: Path, options: PdfOptions) -> Path:
    source = tmp_path / "source"
    source.write_bytes(data)
    scratch = tmp_path / f"{name}-{options.archival}-{options.quality}"
    scratch.mkdir()
    pages = [WORDS]
    if content_type == PDF:
        with pikepdf.open(source) as opened:
            pages += [failed(number) for number in range(2, len(opened.pages) + 1)]
    request = MakeSearchable(content_type, pages, options)
    pdf_making.write(request, str(source), replace(LIMITS, scratch=str(scratch)))
    return scratch / request.result_file


def test_verapdf_finds_no_broken_rule_in_any_pdfa_and_some_in_other_pdfs(tmp_path: Path) -> None:
    plain = [
        made("plain", png(), "image/png", tmp_path, PdfOptions()),
        made("text", PDFS["not embedded"], PDF, tmp_path, PdfOptions()),
    ]
    pictures = {
        name: (sample.data(), sample.content_type)
        for name, sample in KINDS.items()
        if sample.content_type.startswith("image/") and sample.texts
    }
    sources = {**{name: (data, PDF) for name, data in PDFS.items()}, **pictures}
    archival = [
        made(name, data, content_type, tmp_path, PdfOptions(archival=True, quality=quality))
        for name, (data, content_type) in sources.items()
        for quality in (None, 40)
    ]

    broken = broken_rules([*plain, *archival], tmp_path)

    assert all(rules for rules in broken[:2])
    assert dict(zip(archival, broken[2:], strict=True)) == dict.fromkeys(archival, "")
