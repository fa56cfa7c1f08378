"""The searches that are measured, and what each costs over HTTP."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from types import MappingProxyType

from aiohttp import ClientSession

from bench.growth.servers import Measured
from bench.search.words import Words
from bench.server import BenchError

COMMON, MIDDLE, RARE = 5, 2_000, 100_000
"""Places of words in the vocabulary: on most pages, on some in a hundred, and on one in a thousand."""

REQUESTS = 12

SEARCHES: Mapping[str, Callable[[list[str], int], str]] = MappingProxyType(
    {
        "a rare word": lambda words, n: words[RARE + n],
        "a word in between": lambda words, n: words[MIDDLE + n],
        "a common word": lambda words, n: words[COMMON + n],
        "two words in between": lambda words, n: f"{words[MIDDLE + n]} {words[MIDDLE + 40 + n]}",
        "a common, a rare one": lambda words, n: f"{words[COMMON + n]} {words[RARE + n]}",
        "a phrase of common words": lambda words, n: f'"{words[COMMON + n]} {words[COMMON + 1 + n]}"',
        "the beginning of a word": lambda words, n: f"{words[MIDDLE + n][:4]}*",
        "a common word without another": lambda words, n: f"{words[COMMON + n]} -{words[COMMON + 20 + n]}",
    }
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a search costs."""

    cpu_ms: float
    """CPU time of the service and the database, on average."""
    wall_ms: float
    slowest_ms: float
    """The time that it took, as a median and at most."""


async def measure(measured: Measured, session: ClientSession, words: Words) -> dict[str, Cost]:
    """The cost of each search, fuzzy and exact."""
    costs = {}
    for name, query in SEARCHES.items():
        for kind, fuzzy in (("", "true"), (", exact", "false")):
            walls = []
            before = time.process_time() * 1000 + measured.database_cpu_ms()
            for number in range(REQUESTS):
                began = time.perf_counter()
                await _request(session, query(words.vocabulary, number), fuzzy)
                walls.append((time.perf_counter() - began) * 1000)
            cpu_ms = time.process_time() * 1000 + measured.database_cpu_ms() - before
            costs[name + kind] = Cost(cpu_ms / REQUESTS, median(walls), max(walls))
    return costs


async def _request(session: ClientSession, q: str, fuzzy: str) -> None:
    async with session.get("/v1/documents/search", params={"q": q, "fuzzy": fuzzy}) as response:
        if response.status != 200:
            raise BenchError(f"the search for {q} answered {response.status}: {await response.text()}")
        await response.read()
