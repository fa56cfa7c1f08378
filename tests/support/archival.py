"""What a PDF/A-2b must have and must not have (ISO 19005-2), as far as pikepdf and poppler can tell."""

import re
from pathlib import Path
from typing import Any

import pikepdf
from pikepdf import Name

from docserver.xml_text import escaped

NOT_IN_CATALOGUE = {"/AA", "/JavaScript", "/Perms", "/Requirements", "/Collection", "/AF"}
NOT_ALLOWED_ACTIONS = {"/JavaScript", "/Launch", "/Sound", "/Movie", "/ResetForm", "/ImportData", "/Hide"}
PRINT_ALONE, FLAGS = 4, 1 | 2 | 4 | 32 | 256


def assert_is_archival(path: Path) -> None:
    """Fail unless the file keeps these rules of PDF/A-2b."""
    head = path.read_bytes()[:20]
    assert re.match(rb"%PDF-1\.[0-7]\n%[\x80-\xff]{4}", head)
    with pikepdf.open(path) as pdf:
        assert Name.ID in pdf.trailer
        assert Name.Encrypt not in pdf.trailer
        assert not NOT_IN_CATALOGUE & set(pdf.Root.keys())
        _assert_says_so(pdf)
        for each in pdf.objects:
            if isinstance(each, pikepdf.Dictionary | pikepdf.Stream):
                _assert_is_allowed(each)


def _assert_says_so(pdf: pikepdf.Pdf) -> None:
    metadata = pdf.Root.Metadata.read_bytes()
    assert b"<pdfaid:part>2</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>" in metadata
    assert Name.Filter not in pdf.Root.Metadata
    for value in (pdf.trailer.get(Name.Info) or pikepdf.Dictionary()).values():
        text = str(value)
        assert text.startswith("D:") or escaped(text).encode() in metadata
    intents: Any = pdf.Root.OutputIntents
    (intent,) = intents
    profile = intent.DestOutputProfile.read_bytes()
    assert (intent.S, intent.DestOutputProfile.N) == (Name.GTS_PDFA1, 3)
    assert (profile[8] <= 4, profile[12:16], profile[16:20]) == (True, b"mntr", b"RGB ")


def _assert_is_allowed(each: pikepdf.Object) -> None:
    assert Name.AA not in each
    assert str(each.get(Name.S)) not in NOT_ALLOWED_ACTIONS
    assert "LZWDecode" not in str(each.get(Name.Filter))
    assert not each.get(Name.Interpolate)
    assert Name.XFA not in each
    if each.get(Name.Type) == Name.Annot:
        assert int(each.get(Name.F, 0)) & FLAGS == PRINT_ALONE
        assert each.Subtype in (Name.Link, Name.Popup) or Name.AP in each
