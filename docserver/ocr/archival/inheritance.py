"""Child side: attributes that pages and form fields inherit from what is above them (ISO 32000-1, 7.7.3.4, 12.7.3)."""

from typing import Any

from pikepdf import Dictionary, Name, Object

MAX_LEVELS = 64
"""Most levels of a tree. Real documents need a few; the tree of a malicious document may be a circle."""


def inherited(node: Object, key: Name) -> Any:
    """An attribute of a page or field, or else of the nearest node above it; None if there is none."""
    above: Any = node
    for _ in range(MAX_LEVELS):
        if not isinstance(above, Dictionary):
            break
        if key in above:
            return above[key]
        above = above.get(Name.Parent)
    return None
