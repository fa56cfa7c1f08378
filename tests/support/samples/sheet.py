"""A PDF page that shows a few bars, without any text."""

import io
from collections.abc import Sequence
from typing import Any

import pikepdf


def sheet(
    *, rotate: int = 0, crop: Sequence[float] | None = None, media: Sequence[float] = (0, 0, 595, 892.5)
) -> bytes:
    """A page that shows a few bars, without any text."""
    pdf = pikepdf.new()
    content = b"0.2 0.4 0.8 rg 40 50 200 30 re f 1 0 0 rg 300 600 100 150 re f"
    fields: dict[str, Any] = {"/Type": pikepdf.Name.Page, "/MediaBox": pikepdf.Array(media), "/Rotate": rotate}
    if crop:
        fields["/CropBox"] = pikepdf.Array(crop)
    pdf.pages.append(
        pikepdf.Page(pdf.make_indirect(pikepdf.Dictionary({"/Contents": pdf.make_stream(content), **fields})))
    )
    file = io.BytesIO()
    pdf.save(file)
    return file.getvalue()
