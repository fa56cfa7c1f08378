"""How many characters of a text were read wrong."""

from rapidfuzz.distance import Levenshtein


def errors(truth: str, read: str) -> int:
    """Edit distance in characters, at most the length of the truth. All white space counts as single spaces."""
    expected = " ".join(truth.split())
    distance: int = Levenshtein.distance(expected, " ".join(read.split()))
    return min(distance, len(expected))


def error_rate(truths: list[str], reads: list[str]) -> float:
    """Wrong characters of all texts together, from 0 to 1."""
    wrong = sum(errors(truth, read) for truth, read in zip(truths, reads, strict=True))
    return wrong / sum(len(" ".join(truth.split())) for truth in truths)
