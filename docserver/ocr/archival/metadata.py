"""Child side: writes what a PDF/A says of itself: its standard, and its title, author and dates, in XMP and in the
document information alike (ISO 19005-2, 6.6).
"""

import re
from typing import Any

from pikepdf import Dictionary, Name, Pdf, String

from docserver.xml_text import clean, escaped

_DATE = re.compile(
    r"D:(?P<year>\d{4})(?P<month>\d\d)?(?P<day>\d\d)?(?P<hour>\d\d)?(?P<minute>\d\d)?(?P<second>\d\d)?"
    r"(?P<zone>Z|[+-]\d\d'?(?:\d\d)?'?)?.*",
    re.ASCII,
)

TEXTS = {
    "/Title": '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:title>',
    "/Author": "<dc:creator><rdf:Seq><rdf:li>{}</rdf:li></rdf:Seq></dc:creator>",
    "/Subject": '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:description>',
    "/Keywords": "<pdf:Keywords>{}</pdf:Keywords>",
    "/Creator": "<xmp:CreatorTool>{}</xmp:CreatorTool>",
    "/Producer": "<pdf:Producer>{}</pdf:Producer>",
}
DATES = {
    "/CreationDate": "<xmp:CreateDate>{}</xmp:CreateDate>",
    "/ModDate": "<xmp:ModifyDate>{}</xmp:ModifyDate>",
}
"""Entries of the document information, and what says the same in XMP."""

_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:pdf="http://ns.adobe.com/pdf/1.3/" \
xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">
<pdfaid:part>2</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>
{}
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


def write_metadata(pdf: Pdf) -> None:
    """Replace the document's metadata. What they said beside the entries above is not kept."""
    original = pdf.trailer.get(Name.Info)
    information = Dictionary()
    statements = []
    for key, value in original.items() if isinstance(original, Dictionary) else ():
        text = _text(value)
        if key in TEXTS and text:
            information[key] = String(text)
            statements.append(TEXTS[key].format(escaped(text)))
        elif key in DATES and (date := _date(text)):
            information[key] = String(date[0])
            statements.append(DATES[key].format(date[1]))
    if len(information):
        pdf.trailer[Name.Info] = pdf.make_indirect(information)
    elif Name.Info in pdf.trailer:
        del pdf.trailer[Name.Info]
    packet = _PACKET.format("\n".join(statements)).encode()
    pdf.Root.Metadata = pdf.make_stream(packet, Type=Name.Metadata, Subtype=Name.XML)


def _text(value: Any) -> str:
    """The text of an entry in one line, as XMP takes it."""
    return clean(str(value)).strip() if isinstance(value, String) else ""


def _date(text: str) -> tuple[str, str] | None:
    """A date as the document information and as XMP writes it; None if it is none."""
    match = _DATE.fullmatch(text)
    if not match:
        return None
    parts = match.groupdict()
    year, month, day = parts["year"], parts["month"] or "01", parts["day"] or "01"
    hour, minute, second = (parts[name] or "00" for name in ("hour", "minute", "second"))
    zone = (parts["zone"] or "Z").replace("'", "")
    zone = "Z" if zone == "Z" else f"{zone[:3]}:{zone[3:5] or '00'}"
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31 and int(hour) < 24 and int(minute) < 60 and int(second) < 60):
        return None
    written = zone if zone == "Z" else f"{zone[:3]}'{zone[4:]}'"
    return (
        f"D:{year}{month}{day}{hour}{minute}{second}{written}",
        f"{year}-{month}-{day}T{hour}:{minute}:{second}{zone}",
    )
