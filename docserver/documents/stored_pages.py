"""The stored pages that go into a result: which they are, how much they take, and loading them a few at a time."""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from docserver.database.tables import jobs, pages
from docserver.errors import NotFound, Unprocessable
from docserver.model import Job, Page, PageStatus
from docserver.resources import Resources

PAGES_AT_ONCE, BYTES_AT_ONCE = 50, 1_000_000
"""Most pages that one statement loads, and most bytes that they take together; a page that takes more comes alone."""

MAX_STORED_BYTES = 64 * 1024 * 1024
"""Most bytes that the pages of one result may take in the database. That is about 2000 full pages, which become some
hundred megabytes of JSON."""


class Retried(Exception):
    """The job was retried while its pages were loaded, so some of them may be from the earlier attempt."""

    def __init__(self, version: int) -> None:
        """`version` is the job's present version, if that is known, else an earlier one."""
        super().__init__()
        self.version = version


@dataclass(frozen=True, slots=True)
class StoredPages:
    """The pages of a job that go into a result."""

    job: Job
    sizes: Mapping[int, int]
    """How many bytes each page takes in the database, by page number."""
    loaded: Sequence[Page] | None
    """The pages, if they are few; else None, and `batches` loads them."""

    @property
    def stored_bytes(self) -> int:
        return sum(self.sizes.values())

    async def batches(self, resources: Resources) -> AsyncGenerator[Sequence[Page], None]:
        """The pages in order, loaded a batch at a time; raises Retried if they are not all from the same attempt."""
        for numbers in self._batch_numbers():
            async with resources.reads.session() as cur:
                batch = await pages.with_numbers(cur, job_id=self.job.id, numbers=numbers)
            if len(batch) < len(numbers) or any(page.status is PageStatus.PENDING for page in batch):
                raise Retried(self.job.version)
            yield batch
        # Pages of a job that is not finished are requested one by one, and one page is always from one attempt.
        if self.job.status.final:
            async with resources.reads.session() as cur:
                job = await jobs.find(cur, self.job.id)
            if job is None or job.version != self.job.version:
                raise Retried(job.version if job else self.job.version)

    def _batch_numbers(self) -> Iterator[list[int]]:
        numbers: list[int] = []
        stored = 0
        for number, size in self.sizes.items():
            if numbers and (len(numbers) == PAGES_AT_ONCE or stored + size > BYTES_AT_ONCE):
                yield numbers
                numbers, stored = [], 0
            numbers.append(number)
            stored += size
        yield numbers


async def find(
    resources: Resources, job_id: UUID, selection: Sequence[range] | None, *, version: int, load_bytes: float
) -> StoredPages:
    """The selected pages of a job in this version; loaded if they take at most `load_bytes`.

    Raises NotFound, Retried if the job has another version, and Unprocessable if there are no pages or they take too
    much.
    """
    async with resources.reads.session() as cur:
        sizes = await pages.stored_bytes(cur, job_id=job_id, ranges=selection)
        few = sizes and sum(sizes.values()) <= load_bytes
        loaded = await pages.with_numbers(cur, job_id=job_id, numbers=list(sizes)) if few else None
        job = await jobs.find(cur, job_id)
        last = 0 if sizes else await pages.last_number(cur, job_id)
    if job is None:
        raise NotFound("There is no such job.")
    if job.version != version:
        raise Retried(job.version)
    if not sizes:
        raise Unprocessable(
            "The job has none of these pages.",
            errors=[{"detail": f"The last page is {last}.", "parameter": "pages"}],
        )
    _check_sizes(sizes)
    return StoredPages(job, sizes, loaded)


def _check_sizes(sizes: Mapping[int, int]) -> None:
    stored = 0
    for number, size in sizes.items():
        stored += size
        if stored > MAX_STORED_BYTES:
            raise Unprocessable(
                "The result is too large; request fewer pages at a time.",
                errors=[{"detail": f"One request can return the pages before {number}.", "parameter": "pages"}],
            )
