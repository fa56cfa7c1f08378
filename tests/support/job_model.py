"""What jobs should become, without database, queue or time: the model that the real thing is held against."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

LOST_LEASES = 3
CHUNK = 2


@dataclass
class Page:
    status: str = "pending"
    text: str = ""
    claim: UUID | None = None
    lapsed: bool = False
    tries: int = 0
    lost_leases: int = 0

    def free(self) -> None:
        self.claim, self.lapsed = None, False


@dataclass
class Job:
    """One document with its one job."""

    id: UUID
    document_id: UUID
    numbers: list[int]
    """The pages that the document turns out to have."""
    status: str = "pending"
    attempt: int = 1
    languages: str = "eng"
    pages: dict[int, Page] | None = None
    """None until the document was opened."""
    opening: Page = field(default_factory=Page)
    """The claim on opening, which has no text."""

    @property
    def final(self) -> bool:
        return self.status in ("completed", "failed", "cancelled")

    @property
    def free_pages(self) -> list[int]:
        return [n for n, page in (self.pages or {}).items() if page.status == "pending" and not page.claim]

    @property
    def runnable(self) -> bool:
        if self.final:
            return False
        return self.opening.claim is None if self.pages is None else bool(self.free_pages)

    def standing(self, claim: UUID) -> bool:
        return claim in {part.claim for part in self.parts()}

    def parts(self) -> list[Page]:
        return [self.opening, *(self.pages or {}).values()]

    def chunk(self) -> list[int]:
        """The pages that a claim takes now: a page that failed before alone."""
        free = (self.free_pages)[:CHUNK]
        assert self.pages is not None
        calm = next((i for i, n in enumerate(free) if self.pages[n].tries + self.pages[n].lost_leases), len(free))
        return free[: max(1, calm)]

    def take(self, claim: UUID) -> None:
        self.status = "processing"
        if self.pages is None:
            self.opening.claim = claim
            return
        for number in self.chunk():
            self.pages[number].claim = claim

    def opened(self, claim: UUID, texts: Mapping[int, str]) -> bool:
        """The document was opened, and some of its pages were read on the way."""
        if self.opening.claim != claim:
            return False
        self.opening.free()
        self.pages = {number: Page() for number in self.numbers}
        for number in self.numbers[: max(CHUNK, len(texts))]:
            self.pages[number].claim = claim
        for number, text in texts.items():
            self.settle(claim, number, text=text)
        return True

    def settle(self, claim: UUID, number: int, *, text: str | None) -> bool:
        page = (self.pages or {}).get(number)
        if page is None or page.claim != claim:
            return False
        self._settle(page, text)
        return True

    def _settle(self, page: Page, text: str | None) -> None:
        page.free()
        page.status, page.text = ("failed", "") if text is None else ("done", text)
        statuses = {page.status for page in (self.pages or {}).values()}
        if "pending" not in statuses:
            self.status = "completed" if "done" in statuses else "failed"

    def postpone(self, claim: UUID, number: int | None) -> bool:
        part = self.opening if number is None else (self.pages or {}).get(number)
        if part is None or part.claim != claim:
            return False
        part.free()
        part.tries += 1
        return True

    def fail_opening(self, claim: UUID) -> bool:
        if self.opening.claim != claim:
            return False
        self.opening.free()
        self.status = "failed"
        return True

    def release(self, claim: UUID) -> None:
        for part in self.parts():
            if part.claim == claim:
                part.free()

    def lapse(self, claim: UUID) -> None:
        for part in self.parts():
            part.lapsed = part.lapsed or part.claim == claim

    def heartbeat(self, claim: UUID) -> bool:
        """Extend the claim's leases; whether it stands."""
        for part in self.parts():
            if part.claim == claim:
                part.lapsed = False
        return self.standing(claim)

    def reap(self) -> None:
        for part in self.parts():
            if not part.lapsed:
                continue
            part.free()
            part.lost_leases += 1
            if part.lost_leases >= LOST_LEASES and part is self.opening:
                self.status = "failed"
            elif part.lost_leases >= LOST_LEASES:
                self._settle(part, None)

    def cancel(self) -> None:
        self.status = "cancelled"
        for part in self.parts():
            part.free()

    def retry(self, chosen: list[int] | None, *, languages: str) -> bool:
        """Begin anew; False if the job has none of the chosen pages."""
        same = languages == self.languages
        if self.pages is not None:
            again = list(self.pages) if chosen is None else [n for n in self.pages if n in chosen]
            if not again:
                return False
            unread = [n for n, page in self.pages.items() if page.status != "done"]
            if chosen is None and same and unread:
                again = unread
            self.pages = {
                n: Page() if n in again else page
                for n, page in self.pages.items()
                if n in again or page.status != "pending"
            }
        elif chosen is not None:
            self.numbers = [n for n in self.numbers if n in chosen] or self.numbers
        self.opening = Page()
        self.status, self.attempt, self.languages = "pending", self.attempt + 1, languages
        return True
