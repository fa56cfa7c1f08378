"""How an OCR process carries out a request: what it answers, and what it leaves in its scratch directory."""

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from docserver.errors import DocumentErrorCode
from docserver.ocr.child import main, tasks
from docserver.ocr.errors import Unreadable
from docserver.ocr.requests import Answer, Failed, MakeSearchable, OpenDocument, Opened, Request, SearchableMade
from tests.support.limits import LIMITS

RESULT = MakeSearchable.result_file


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """Carry out a request by a function that gets the scratch directory."""
    # It would limit the process of the tests.
    monkeypatch.setattr(main, "_limit_cpu_time", lambda _: None)
    limits = replace(LIMITS, scratch=str(tmp_path), source=str(tmp_path))

    def carry_out(request: Request[Any], perform: Callable[[Path], Answer]) -> Answer:
        monkeypatch.setattr(tasks, "perform", lambda *_: perform(tmp_path))
        return main.run(request, __file__, limits)

    return carry_out


def leave(scratch: Path) -> None:
    (scratch / "leftover").write_text("of a decoder")
    (scratch / "directory").mkdir()
    (scratch / "directory" / RESULT).write_text("elsewhere")
    (scratch / RESULT).write_text("a PDF")


def test_a_searchable_pdf_stays_until_the_next_request_and_leftovers_do_not(
    run: Callable[..., Answer], tmp_path: Path
) -> None:
    def make(scratch: Path) -> Answer:
        leave(scratch)
        return SearchableMade()

    made = run(MakeSearchable("image/png", []), make)
    after_it = [path.name for path in tmp_path.iterdir()]
    before_the_next: list[Path] = []

    def open_document(scratch: Path) -> Answer:
        before_the_next.extend(scratch.iterdir())
        return Opened(1)

    run(OpenDocument("image/png"), open_document)

    assert made == SearchableMade()
    assert after_it == [RESULT]
    assert before_the_next == []


def test_a_request_that_fails_leaves_no_result(run: Callable[..., Answer], tmp_path: Path) -> None:
    def fail(scratch: Path) -> Answer:
        leave(scratch)
        raise Unreadable(DocumentErrorCode.CORRUPT, "It is broken.")

    answer = run(MakeSearchable("image/png", []), fail)

    assert isinstance(answer, Failed)
    assert answer.failure.code is DocumentErrorCode.CORRUPT
    assert list(tmp_path.iterdir()) == []


def test_a_failure_without_a_cause_has_no_detail(run: Callable[..., Answer]) -> None:
    def fail(_: Path) -> Answer:
        raise Unreadable(DocumentErrorCode.ENCRYPTED, "It has a password.")

    answer = run(OpenDocument("image/png"), fail)

    assert isinstance(answer, Failed)
    assert answer.detail == ""


def test_a_failure_with_a_cause_has_it_as_its_detail(run: Callable[..., Answer]) -> None:
    def fail(_: Path) -> Answer:
        raise Unreadable(DocumentErrorCode.CORRUPT, "It is broken.") from ValueError("no header")

    answer = run(OpenDocument("image/png"), fail)

    assert isinstance(answer, Failed)
    assert answer.detail == "ValueError('no header')"


def test_an_unexpected_exception_is_a_failure_without_its_message(run: Callable[..., Answer]) -> None:
    def fail(_: Path) -> Answer:
        raise ValueError("words of the document")

    answer = run(OpenDocument("image/png"), fail)

    assert isinstance(answer, Failed)
    assert answer.failure.code is DocumentErrorCode.ENGINE_CRASHED
    assert "words" not in answer.failure.message + answer.detail


def test_of_a_document_that_was_deleted_while_it_was_read_nothing_else_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "_limit_cpu_time", lambda _: None)
    source, scratch = tmp_path / "document", tmp_path / "scratch"
    source.touch()
    scratch.mkdir()
    limits = replace(LIMITS, scratch=str(scratch), source=str(source))

    def fail(*_: object) -> Answer:
        source.unlink()
        raise Unreadable(DocumentErrorCode.CORRUPT, "It is broken.", detail="a header of zero bytes")

    monkeypatch.setattr(tasks, "perform", fail)

    answer = main.run(OpenDocument("image/png"), str(source), limits)

    assert isinstance(answer, Failed)
    assert answer.failure.code is DocumentErrorCode.ENGINE_CRASHED
    assert answer.failure.message == "The document was deleted while it was read."
    assert "header" not in answer.detail


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.ENOMEM, "Cannot allocate memory")])
def test_too_little_memory_is_told_as_such(run: Callable[..., Answer], error: Exception) -> None:
    def fail(_: Path) -> Answer:
        raise error

    answer = run(OpenDocument("image/png"), fail)

    assert isinstance(answer, Failed)
    assert answer.failure.code is DocumentErrorCode.OUT_OF_MEMORY


def test_a_scratch_directory_that_is_gone_is_no_full_disk(run: Callable[..., Answer]) -> None:
    def fail(scratch: Path) -> Answer:
        scratch.rmdir()
        raise ValueError

    answer = run(OpenDocument("image/png"), fail)

    assert isinstance(answer, Failed)
    assert not answer.disk_full


def test_a_full_disk_behind_an_error_is_reported(run: Callable[..., Answer]) -> None:
    def fail(_: Path) -> Answer:
        raise Unreadable(DocumentErrorCode.ENGINE_CRASHED, "It crashed.") from OSError(errno.ENOSPC, "No space left")

    answer = run(OpenDocument("image/png"), fail)

    assert isinstance(answer, Failed)
    assert answer.disk_full
