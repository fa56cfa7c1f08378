"""How much of a text was read right."""

from rapidfuzz.distance import Levenshtein


def errors(truth: str, read: str) -> int:
    """Characters to change, add or leave out, at most as many as there are; how white space is laid out is the same."""
    wanted = " ".join(truth.split())
    distance: int = Levenshtein.distance(wanted, " ".join(read.split()))
    return min(distance, len(wanted))


def error_rate(truths: list[str], reads: list[str]) -> float:
    """Wrong characters of all texts together, from 0 to 1."""
    wrong = sum(errors(truth, read) for truth, read in zip(truths, reads, strict=True))
    return wrong / sum(len(" ".join(truth.split())) for truth in truths)
