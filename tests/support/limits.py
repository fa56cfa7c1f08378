"""Limits for calls of the OCR process's code in the process of a test."""

from docserver.ocr.limits import Limits
from docserver.setting_types import SandboxMode

LIMITS = Limits(
    scratch="",
    source="",
    sandbox=SandboxMode.OFF,
    memory_mb=1000,
    max_pages=5,
    max_page_pixels=1_000_000,
    pdf_dpi=300,
    call_s=60,
    binding="",
    tessdata="",
    candidates=("eng",),
    review_below=80,
)
