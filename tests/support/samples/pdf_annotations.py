"""PDFs with annotations: a page of text with one more text that only an annotation draws."""

from pypdf import PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, FloatObject, NameObject, NumberObject, StreamObject

from tests.support.samples.pdf_layers import rewritten

_FONT = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
PRINTED = 4


def annotated(data: bytes, *, kind: str, shows: str, flags: int = PRINTED) -> bytes:
    """A PDF whose first page has an annotation of this kind, with an appearance that draws `shows`: operators of a
    content stream for an area of 200 x 30 points, with a font F.
    """

    def annotate(writer: PdfWriter) -> None:
        font = DictionaryObject({NameObject(key): NameObject(value) for key, value in _FONT.items()})
        fonts = DictionaryObject({NameObject("/F"): font})
        appearance = StreamObject()
        appearance.set_data(shows.encode())
        appearance[NameObject("/Subtype")] = NameObject("/Form")
        appearance[NameObject("/BBox")] = _numbers(0, 0, 200, 30)
        appearance[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        annotation = DictionaryObject(
            {
                NameObject("/Type"): NameObject("/Annot"),
                NameObject("/Subtype"): NameObject(f"/{kind}"),
                NameObject("/Rect"): _numbers(72, 500, 272, 530),
                NameObject("/F"): NumberObject(flags),
                NameObject("/AP"): DictionaryObject({NameObject("/N"): writer._add_object(appearance)}),
            }
        )
        writer.pages[0][NameObject("/Annots")] = ArrayObject([writer._add_object(annotation)])

    return rewritten(data, annotate)


def _numbers(*numbers: float) -> ArrayObject:
    return ArrayObject(map(FloatObject, numbers))
