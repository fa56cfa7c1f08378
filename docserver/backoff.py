"""How long to wait before the next try of something that failed."""

import random
from collections.abc import Iterator


def doubling(first_s: float, longest_s: float) -> Iterator[float]:
    """Pauses in seconds, each twice the one before, up to the longest; without end."""
    pause_s = first_s
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, longest_s)


def full_jitter_s(first_s: float, *, tries: int) -> float:
    """A pause drawn from 0 to a bound that doubles with each try, so that many that failed together do not come back
    together.
    """
    return random.uniform(0, first_s * 2**tries)  # noqa: S311 - spreads load, guards nothing
