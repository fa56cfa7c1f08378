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

REQUESTS = 20
"""The slowest but one is the 95th percentile."""

SEARCHES: Mapping[str, Callable[[list[str], int], str]] = MappingProxyType(
    {
        "a rare word": lambda words, n: words[RARE + n],
        "a word in between": lambda words, n: words[MIDDLE + n],
        "a common word": lambda words, n: words[COMMON + n],
        "two words in between": lambda words, n: f"{words[MIDDLE + n]} {words[MIDDLE + 40 + n]}",
        "two rare words": lambda words, n: f"{words[RARE + n]} {words[RARE + 40 + n]}",
        "a common, a rare one": lambda words, n: f"{words[COMMON + n]} {words[RARE + n]}",
        "a phrase of common words": lambda words, n: f'"{words[COMMON + n]} {words[COMMON + 1 + n]}"',
        "a phrase of words in between": lambda words, n: f'"{words[MIDDLE + n]} {words[MIDDLE + 1 + n]}"',
        "the beginning of a word": lambda words, n: f"{words[MIDDLE + n][:4]}*",
        "a common word without another": lambda words, n: f"{words[COMMON + n]} -{words[COMMON + 20 + n]}",
        "a word with a wrong letter": lambda words, n: f"{words[MIDDLE + n][:-1]}x",
    }
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a search costs."""

    service_ms: float
    database_ms: float
    """CPU time on average."""
    median_ms: float
    p95_ms: float
    """Elapsed time."""


KINDS = {"": "true", ", exact": "false"}
"""What is added to the name of a search → its `fuzzy=`."""


def names() -> list[str]:
    """The names of the searches."""
    return [name + kind for name in SEARCHES for kind in KINDS]


async def measure(measured: Measured, session: ClientSession, words: Words) -> dict[str, Cost]:
    """The cost of each search, fuzzy and exact."""
    costs = {}
    for name, query in SEARCHES.items():
        for kind, fuzzy in KINDS.items():
            walls = []
            service, database = time.process_time() * 1000, measured.database_cpu_ms()
            for number in range(REQUESTS):
                began = time.perf_counter()
                await _request(session, query(words.vocabulary, number), fuzzy)
                walls.append((time.perf_counter() - began) * 1000)
            service, database = time.process_time() * 1000 - service, measured.database_cpu_ms() - database
            costs[name + kind] = Cost(service / REQUESTS, database / REQUESTS, median(walls), sorted(walls)[-2])
    return costs


async def _request(session: ClientSession, q: str, fuzzy: str) -> None:
    async with session.get("/v1/documents/search", params={"q": q, "fuzzy": fuzzy}) as response:
        if response.status != 200:
            raise BenchError(f"the search for {q} answered {response.status}: {await response.text()}")
        await response.read()
