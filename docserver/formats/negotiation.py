"""Content negotiation: chooses the format of a result by the Accept header, or tells if that takes a media type."""

from collections.abc import Sequence
from dataclasses import dataclass

from docserver.formats import FORMATS, Format

_WEIGHT_DIGITS = 3
"""RFC 9110, 12.4.2: a weight has at most three digits after the point."""


@dataclass(frozen=True, slots=True)
class _MediaRange:
    type: str
    subtype: str
    weight: float

    def specificity(self, media_type: str) -> int:
        """How exactly this range matches the media type: 2 for its name, 1 for `type/*`, 0 for `*/*`, -1 if not."""
        kind, _, subkind = media_type.partition("/")
        if (self.type, self.subtype) == (kind, subkind):
            return 2
        if (self.type, self.subtype) == (kind, "*"):
            return 1
        return 0 if (self.type, self.subtype) == ("*", "*") else -1


def negotiate(accept: str, *, default: str = "txt") -> Format | None:
    """The format that an Accept header (RFC 9110, 12.5.1) prefers; None if it accepts none of ours.

    An empty header accepts anything and gets the default. The most specific range decides a format's weight. Among
    formats of equal weight, the one that is named most specifically wins, then the default, then the order of FORMATS.
    """
    if not accept.strip():
        return FORMATS[default]
    ranges = _ranges(accept)
    best, best_rank = None, (0.0, -1)
    for candidate in (FORMATS[default], *FORMATS.values()):
        specificity, weight = _best(ranges, candidate.media_type)
        if specificity >= 0 and weight > 0 and (weight, specificity) > best_rank:
            best, best_rank = candidate, (weight, specificity)
    return best


def accepts(accept: str, media_type: str) -> bool:
    """True if an Accept header takes this media type. An empty header takes any."""
    specificity, weight = _best(_ranges(accept), media_type)
    return not accept.strip() or (specificity >= 0 and weight > 0)


def prefers(accept: str, media_type: str, *, to: str) -> bool:
    """True if an Accept header names this media type, and gives another one no more weight."""
    ranges = _ranges(accept)
    specificity, weight = _best(ranges, media_type)
    return specificity > 0 and weight > 0 and weight >= _best(ranges, to)[1]


def _ranges(accept: str) -> list[_MediaRange]:
    return [media_range for part in accept.split(",") if (media_range := _parse(part))]


def _best(ranges: Sequence[_MediaRange], media_type: str) -> tuple[int, float]:
    """How exactly a media type is named, and its weight; by the range that names it most exactly."""
    return max(((part.specificity(media_type), part.weight) for part in ranges), default=(-1, 0.0))


def _parse(part: str) -> _MediaRange | None:
    """Parse one media range; None if it is malformed. Parameters other than `q` are ignored: no format needs them."""
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
    return _MediaRange(kind, subkind, weight)


def _weight(text: str) -> float | None:
    whole, point, digits = text.partition(".")
    if whole not in ("0", "1") or (point and digits and not (digits.isascii() and digits.isdigit())):
        return None
    weight = float(text)
    return weight if weight <= 1 and len(digits) <= _WEIGHT_DIGITS else None
