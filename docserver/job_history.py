"""The history of a job: its steps that have ended, each with its outcome."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from docserver.errors import DocumentErrorCode
from docserver.timestamps import rfc3339


class Step(StrEnum):
    """A part of a job's work that has an outcome of its own."""

    JOB = "job"
    OPENING = "opening"
    PAGE = "page"


class Outcome(StrEnum):
    """How a step ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"
    """The worker's lease ran out before the step ended."""


HISTORY_KEPT = 50
"""Most history entries kept for a job. Every answer about the job contains them all, and the latest are most useful."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One entry of a job's history: a step that ended.

    A page that was read successfully has no entry, because there would be too many entries.
    """

    attempt: int
    step: Step
    page: int | None
    """The page's number if the step is a page, else None."""
    outcome: Outcome
    code: DocumentErrorCode | None
    """Why the step failed, if it failed."""
    started_at: datetime | None
    """None for a job that was cancelled before it started."""
    ended_at: datetime

    def as_json(self) -> dict[str, Any]:
        """The entry as clients see it."""
        return {
            "attempt": self.attempt,
            "step": self.step.value,
            "page": self.page,
            "outcome": self.outcome.value,
            "code": self.code.value if self.code else None,
            "started_at": rfc3339(self.started_at),
            "ended_at": rfc3339(self.ended_at),
        }
