"""What a check finds, and how a finding is printed; runs no check."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How good a finding is."""

    OK = "ok"
    WARNING = "warning"
    """The service works, but slower, less safely, or not for long."""
    PROBLEM = "problem"
    """The service does not start, or cannot do its work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. It never has a secret: no URL, no password, no key."""

    status: Status
    subject: str
    detail: str
    remedy: str = ""
    """What to do; empty if all is well."""

    def __str__(self) -> str:
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.status:<8} {self.subject}: {self.detail}{remedy}"


def ok(subject: str, detail: str) -> Finding:
    return Finding(Status.OK, subject, detail)


def warning(subject: str, detail: str, remedy: str) -> Finding:
    return Finding(Status.WARNING, subject, detail, remedy)


def problem(subject: str, detail: str, remedy: str) -> Finding:
    return Finding(Status.PROBLEM, subject, detail, remedy)
