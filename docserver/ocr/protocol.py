"""Both sides: how an OCR process sends its answers: as data of known types within limits, never as a pickle.

A malicious document may take over the process that reads it. That process can then send any answer, and a pickle could
run code in the server.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, assert_spawning
from typing import Any

import msgspec

from docserver.ocr.answer_checks import MAX_DETAIL, MAX_MESSAGE, InvalidAnswer, check
from docserver.ocr.limits import MAX_ELEMENTS_BYTES, MAX_LAYOUT_BYTES
from docserver.ocr.requests import (
    A,
    Answer,
    Failed,
    Inspected,
    Opened,
    OwnTexts,
    PageDrawn,
    PageRead,
    Raised,
    Ready,
    SearchableMade,
)

log = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 2 * MAX_LAYOUT_BYTES + MAX_ELEMENTS_BYTES + 64 * 1024
"""Largest answer: the layouts, even if they cannot be compressed; the texts, which are shorter than the layouts; what
the pages show beside their texts; and the other values."""

_message = msgspec.msgpack.Decoder(
    tuple[int, Ready | Opened | OwnTexts | PageRead | SearchableMade | PageDrawn | Inspected | Failed | Raised],
)
"""Decodes one message: the executor's number of the call, and the answer."""


class ChildFault(Exception):
    """An exception in an OCR process that is a fault of the program or of the machine, not of a document."""

    def __init__(self, message: str, *, errno: int | None) -> None:
        super().__init__(message)
        self.errno = errno


@dataclass(slots=True)
class ResultItem:
    """An answer in the form that ProcessPoolExecutor's manager thread expects from its queue of results."""

    work_id: int
    result: Answer | None
    exception: ChildFault | None
    exit_pid: None = None


class PrivateContext(SpawnContext):
    """The multiprocessing context of an executor with one process. They share two pipes and nothing else."""

    def SimpleQueue(self) -> "AnswerQueue":  # type: ignore[override]  # noqa: N802
        return AnswerQueue(self)

    def Lock(self) -> "_NoLock":  # type: ignore[override]  # noqa: N802
        return _NoLock()

    def BoundedSemaphore(self, value: int = 1) -> "_NoLock":  # type: ignore[override]  # noqa: ARG002, N802
        return _NoLock()


class _NoLock:
    """Replaces the executor's locks and semaphores. A process that was taken over might never release a real lock.

    No lock is needed: each end of a pipe has one user, and there is one call at a time.
    """

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:  # noqa: ARG002
        return True

    def release(self) -> None:
        pass

    def __enter__(self) -> None:
        pass

    def __exit__(self, *raised: object) -> None:
        pass

    @property
    def _semlock(self) -> "_NoLock":
        return self

    def _is_zero(self) -> bool:
        return False


class AnswerQueue:
    """The executor's queue of results. The OCR process calls `put`; the executor in the server reads from `_reader`."""

    def __init__(self, context: SpawnContext) -> None:
        receiving, self._sending = context.Pipe(duplex=False)
        self._reader = _Reader(receiving)

    def put(self, item: Any) -> None:
        """Send the result or the exception of a call."""
        if isinstance(item, int):
            # The executor announces in this way that its process will end. The server notices the end anyway.
            return
        if item.exception is not None:
            # The executor wraps the exception together with its traceback.
            error = item.exception.exc
            message = f"{type(error).__name__}: {error}"[:MAX_MESSAGE]
            answer: Answer = Raised(message, error.errno if isinstance(error, OSError) else None)
        elif isinstance(item.result, Failed):
            answer = msgspec.structs.replace(item.result, detail=item.result.detail[:MAX_DETAIL])
        else:
            answer = item.result
        self._sending.send_bytes(msgspec.msgpack.encode((item.work_id, answer)))

    def expect(self, answer: type[A], *, fits: Callable[[A], bool] = lambda _: True) -> None:
        """Accept one more answer: either one of this type for which `fits` is True, or the report of a failure."""
        self._reader.expected = _Expected(answer, fits)

    def answers_to(self, is_running: Callable[[int], bool]) -> None:
        """Accept answers only to calls for whose numbers this is True: they were sent, and have no answer yet."""
        self._reader.is_running = is_running

    @property
    def ended(self) -> bool:
        """True if no further answer can arrive."""
        return self._reader.ended

    @property
    def invalid(self) -> bool:
        """True if the last answer was refused."""
        return self._reader.invalid

    def abandon(self) -> None:
        """End the check of an answer that nobody waits for any more."""
        self._reader.abandoned = True

    def close_sender(self) -> None:
        """Close the server's copy of the sending end, once the process has its own copy.

        Then the pipe breaks when the process and everything that it has started have ended.
        """
        self._sending.close()

    def close(self) -> None:
        self._reader.close()
        self._sending.close()

    def __getstate__(self) -> Connection:
        assert_spawning(self)
        return self._sending

    def __setstate__(self, sending: Connection) -> None:
        self._sending = sending


@dataclass(frozen=True, slots=True)
class _Expected:
    """The kind of answer that is accepted next."""

    answer: type[Answer]
    fits: Callable[[Any], bool]

    def check(self, answer: Answer) -> None:
        """Raise InvalidAnswer if this is no possible answer to the request."""
        if isinstance(answer, Failed | Raised):
            return
        if type(answer) is not self.answer or not self.fits(answer):
            raise InvalidAnswer("the answer does not fit the request")


class _Reader:
    """The server's end of the pipe. Any exception that it raises ends the executor and its process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.expected: _Expected | None = None
        self.is_running: Callable[[int], bool] = lambda _: False
        self.ended = False
        self.invalid = False
        self.abandoned = False

    def fileno(self) -> int:
        return self._connection.fileno()

    def close(self) -> None:
        self._connection.close()

    def recv(self) -> ResultItem:
        """Read an answer from the pipe. Raises InvalidAnswer, the decoders' errors, EOFError and OSError.

        This runs in the executor's thread, not in the event loop's.
        """
        try:
            return self._received(self._connection.recv_bytes(MAX_ANSWER_BYTES))
        except Exception as error:
            self.ended = True
            self.invalid = not isinstance(error, EOFError)
            if self.invalid and not self.abandoned:
                log.warning("OCR process gave an invalid answer", extra={"fault": type(error).__name__})
            raise

    def _received(self, body: bytes) -> ResultItem:
        expected, self.expected = self.expected, None
        if expected is None:
            raise InvalidAnswer("there was no request")
        work_id, answer = _message.decode(body)
        # The executor's thread would end with an error at the answer to a call that it has not sent yet.
        if not self.is_running(work_id):
            raise InvalidAnswer("there is no such call")
        expected.check(answer)
        if isinstance(answer, Raised):
            return ResultItem(work_id, None, ChildFault(answer.message[:MAX_MESSAGE], errno=answer.errno))
        check(answer, abandoned=lambda: self.abandoned)
        return ResultItem(work_id, answer, None)
