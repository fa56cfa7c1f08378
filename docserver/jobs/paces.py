"""How fast this process reads the pages of jobs, and so how many pages of one fit into a turn of a slot."""

from docserver.model import Job

TURN_S = 0.8
"""A slot reads further pages of a job, beyond the chunk of the settings, until it has read for this long. A scanned
page takes about as long, so nobody waits longer for quick pages than for a slow one."""

MAX_PAGES = 32
"""Most pages that are claimed for one turn: so many lose their leases together if their worker dies."""

MAX_KNOWN = 1000
"""Jobs and clients whose pace is remembered."""


class Paces:
    """Seconds for each page, of jobs and of the clients whose jobs they are. Each further page counts for half."""

    def __init__(self) -> None:
        self._page_s: dict[object, float] = {}

    def note(self, job: Job, page_s: float) -> None:
        """Remember how long a page of the job took."""
        for key, earlier_s in ((job.id, self._pace_s(job)), (job.client, self._page_s.get(job.client, TURN_S))):
            self._page_s.pop(key, None)
            self._page_s[key] = (earlier_s + page_s) / 2
        while len(self._page_s) > MAX_KNOWN:
            del self._page_s[next(iter(self._page_s))]

    def pages_in_turn(self, job: Job) -> int:
        """How many pages of the job are probably read in TURN_S; 1 until several were quick."""
        pace_s = self._pace_s(job)
        return MAX_PAGES if pace_s * MAX_PAGES <= TURN_S else max(1, int(TURN_S / pace_s))

    def _pace_s(self, job: Job) -> float:
        """The pace of the job; that of its client's last jobs if no page of it was read."""
        return self._page_s.get(job.id, self._page_s.get(job.client, TURN_S))
