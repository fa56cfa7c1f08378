"""How fast this process reads the pages of jobs, and so how many pages of one fit into a turn of a slot."""

from collections.abc import Sequence

from docserver.model import Job

TURN_S = 0.8
"""A slot reads further pages of a job, beyond the chunk of the settings, until it has read for this long. A scanned
page takes about as long, so nobody waits longer for quick pages than for a slow one."""

MAX_PAGES = 32
"""Most pages that are claimed for one turn: so many lose their leases together if their worker dies."""

MAX_KNOWN = 1000
"""Jobs and clients whose pace is remembered."""

ALL = "all"
"""Stands for all jobs of this process."""


class Paces:
    """Seconds for each page: of a job, of its client's jobs, and of all jobs. Each further page counts for half.

    A job that turns out slower than expected costs little: its turn ends early, and the other pages are released.
    """

    def __init__(self) -> None:
        self._page_s: dict[object, float] = {}

    def note(self, job: Job, page_s: float) -> None:
        """Remember how long a page of the job took."""
        keys = self._keys(job)
        earlier_s = [self._first_known_s(keys[place:]) for place in range(len(keys))]
        for key, key_s in zip(keys, earlier_s, strict=True):
            self._page_s.pop(key, None)
            self._page_s[key] = (key_s + page_s) / 2
        while len(self._page_s) > MAX_KNOWN:
            del self._page_s[next(iter(self._page_s))]

    def pages_in_turn(self, job: Job) -> int:
        """How many pages of the job are probably read in TURN_S; 1 until several were quick."""
        pace_s = self._first_known_s(self._keys(job))
        return MAX_PAGES if pace_s * MAX_PAGES <= TURN_S else max(1, int(TURN_S / pace_s))

    def _keys(self, job: Job) -> Sequence[object]:
        """Whose pace it may have, the best guess first."""
        return job.id, ("client", job.client), ALL

    def _first_known_s(self, keys: Sequence[object]) -> float:
        return next((self._page_s[key] for key in keys if key in self._page_s), TURN_S)
