"""The formats that a result can have, and which of them a client accepts; each is rendered in a module of its own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from docserver.formats import alto, hocr, json, md, tsv, txt
from docserver.model import Job, Page


@dataclass(frozen=True, slots=True)
class Format:
    """`name` as in `?format=`, `media_type` as in `Accept`."""

    name: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Rendering(Format):
    """A format that is made of the stored words alone."""

    render: Callable[[Job, Sequence[Page]], Iterator[bytes]]
    """From a job and its pages to the result, in pieces of a page each: a whole document's words need much room."""


RENDERINGS: Mapping[str, Rendering] = MappingProxyType(
    {
        form.name: form
        for form in (
            Rendering("txt", txt.MEDIA_TYPE, txt.render),
            Rendering("json", json.MEDIA_TYPE, json.render),
            Rendering("tsv", tsv.MEDIA_TYPE, tsv.render),
            Rendering("hocr", hocr.MEDIA_TYPE, hocr.render),
            Rendering("alto", alto.MEDIA_TYPE, alto.render),
            Rendering("md", md.MEDIA_TYPE, md.render),
        )
    }
)
"""By name."""

JSON_PAGE = Rendering("json", json.MEDIA_TYPE, json.render_page)
"""The JSON of a single page."""

PDF = Format("pdf", "application/pdf")
"""Made of the document itself and the words, by a process of its own."""

FORMATS: Mapping[str, Format] = MappingProxyType({**RENDERINGS, PDF.name: PDF})
"""All that clients may ask for, by name."""

_WEIGHT_DIGITS = 3
"""RFC 9110, 12.4.2: a weight has at most three digits after the point."""


@dataclass(frozen=True, slots=True)
class _Range:
    type: str
    subtype: str
    weight: float

    def specificity(self, media_type: str) -> int:
        """How exactly this range names the media type: 2 by name, 1 by `type/*`, 0 by `*/*`, -1 not at all."""
        kind, _, subkind = media_type.partition("/")
        if (self.type, self.subtype) == (kind, subkind):
            return 2
        if (self.type, self.subtype) == (kind, "*"):
            return 1
        return 0 if (self.type, self.subtype) == ("*", "*") else -1


def negotiate(accept: str, *, default: str = "txt") -> Format | None:
    """The format that an Accept header (RFC 9110, 12.5.1) likes best; None if it takes none of ours.

    An empty header takes anything, which is the default. The most specific range decides on a format's weight; of
    formats with the same weight the one named more specifically wins, then the default, then the earlier of FORMATS.
    """
    if not accept.strip():
        return FORMATS[default]
    ranges = [parsed for part in accept.split(",") if (parsed := _parse(part))]
    best, best_rank = None, (0.0, -1)
    for candidate in (FORMATS[default], *FORMATS.values()):
        specificity, weight = max(
            ((found.specificity(candidate.media_type), found.weight) for found in ranges), default=(-1, 0.0)
        )
        if specificity >= 0 and weight > 0 and (weight, specificity) > best_rank:
            best, best_rank = candidate, (weight, specificity)
    return best


def _parse(part: str) -> _Range | None:
    """One media range, None if it is malformed. Parameters other than `q` do not tell our formats apart."""
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    kind, slash, subkind = name.partition("/")
    if not (kind and slash and subkind) or (kind == "*" and subkind != "*"):
        return None
    weight = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            parsed = _weight(value.strip())
            if parsed is None:
                return None
            weight = parsed
    return _Range(kind, subkind, weight)


def _weight(text: str) -> float | None:
    whole, point, digits = text.partition(".")
    if whole not in ("0", "1") or (point and digits and not (digits.isascii() and digits.isdigit())):
        return None
    weight = float(text)
    return weight if weight <= 1 and len(digits) <= _WEIGHT_DIGITS else None
