"""How long to wait before the next try of something that failed."""

import random
from collections.abc import Iterator


def doubling(first_s: float, longest_s: float) -> Iterator[float]:
    """An endless series of pauses in seconds. Each is twice the one before, until they reach the longest."""
    pause_s = first_s
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, longest_s)


def full_jitter_s(first_s: float, *, tries: int) -> float:
    """A random pause between 0 and a bound that doubles with each try.

    It is random so that callers that failed at the same time do not try again at the same time.
    """
    return random.uniform(0, first_s * 2**tries)  # noqa: S311 - only spreads load; no security depends on it
