"""The spans of the work on a job: their attributes, and what became of each page."""

from collections.abc import Mapping

from docserver import tracing
from docserver.errors import Failure
from docserver.model import Job, Reading
from docserver.tracing import Attributes, Span

READ_PAGE = "read page"


def of_job(job: Job) -> Attributes:
    """The attributes of a span in which a document is opened."""
    return {
        "docserver.job.id": str(job.id),
        "docserver.document.id": str(job.document_id),
        "docserver.job.attempt": job.attempt,
    }


def of_page(job: Job, number: int, *, engine: str) -> Attributes:
    """The attributes of a span in which a page is read."""
    return {"docserver.job.id": str(job.id), "docserver.page.number": number, "docserver.engine": engine}


def end(span: Span, result: Reading | Failure, *, again: bool = False) -> None:
    """Record what came of reading a page, and with `again`, that another try will follow."""
    if isinstance(result, Failure):
        span.set({"docserver.page.outcome": "postponed" if again else "failed"})
        span.fail(result.code)
    else:
        span.set({"docserver.page.outcome": "read", "docserver.page.source": result.source})


def add_pages(job: Job, results: Mapping[int, Reading | Failure], *, engine: str, began_ns: int) -> None:
    """Record a span for each page that one call has read. All begin with the call, as the time of each is not known."""
    for number, result in results.items():
        with tracing.span(READ_PAGE, of_page(job, number, engine=engine), began_ns=began_ns) as span:
            end(span, result)
