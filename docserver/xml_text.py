"""Cleans and escapes text for XML and HTML."""

from html import escape

_FORBIDDEN = [*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF]
_WHITE_SPACE = {0x09: " ", 0x0A: " ", 0x0B: " ", 0x0C: " ", 0x0D: " ", 0x85: " "}

_CLEAN = {**dict.fromkeys(_FORBIDDEN), **_WHITE_SPACE}
"""XML 1.0, 2.2 forbids control characters, lone surrogates and non-characters. It allows C1 controls, but HTML forbids
them, and they mean nothing in either. Line breaks and tabs become spaces, because no word spans lines."""


def clean(text: str) -> str:
    """The text in one line, without the characters that XML or HTML forbids."""
    return text if text.isascii() and text.isprintable() else text.translate(_CLEAN)


def escaped(text: str) -> str:
    """The cleaned text, escaped for the content and the quoted attributes of XML and HTML."""
    return escape(clean(text))
