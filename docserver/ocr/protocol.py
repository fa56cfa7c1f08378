"""Both sides: how the answers of an OCR process travel: as data of known types and within bounds, never as a pickle.

A document may take over the process that reads it. That process then answers whatever it likes, and a pickle of its
choice would run in the server.
"""

import logging
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, assert_spawning
from typing import Annotated, Any, TypeVar

import msgspec

from docserver.errors import Failure
from docserver.layout import Box
from docserver.model import Reading
from docserver.ocr.languages import MAX_NAMES, NAMES
from docserver.ocr.limits import MAX_TEXT
from docserver.ocr.requests import A, Answer, Failed, Opened, OwnTexts, PageRead, Raised, Ready, SearchableMade

T = TypeVar("T")

log = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""Eight of the fullest pages, compressed, take some megabytes."""

MAX_LAYOUT_BYTES = 32 * 1024 * 1024
"""Of one page, unpacked: as many words as MAX_TEXT allows, each in a block of its own."""

MAX_MESSAGE = 500
MAX_DETAIL = 4000
"""Characters; a program may repeat one complaint for every object of a file."""

MAX_NUMBER = 2**31 - 1
"""The largest number that a column of the database holds."""

ROTATIONS = frozenset({0, 90, 180, 270})

_message = msgspec.msgpack.Decoder(
    tuple[int, Ready | Opened | OwnTexts | PageRead | SearchableMade | Failed | Raised],
)
"""The executor's number for the call, and the answer."""

_NonEmpty = Annotated[list[T], msgspec.Meta(min_length=1)]
_Line = tuple[Box, _NonEmpty[tuple[str, Box, float]]]
_layout = msgspec.json.Decoder(list[tuple[Box, _NonEmpty[tuple[Box, _NonEmpty[_Line]]]]])
"""What `layout.pack_blocks` makes."""


class InvalidAnswer(Exception):
    """An answer that no OCR process gives unless it was taken over."""


class ChildFault(Exception):
    """An exception of an OCR process that no document causes, only a fault of the program or of the machine."""

    def __init__(self, message: str, *, errno: int | None) -> None:
        super().__init__(message)
        self.errno = errno


@dataclass(slots=True)
class ResultItem:
    """An answer as the manager thread of a ProcessPoolExecutor takes it from the queue of results."""

    work_id: int
    result: Answer | None
    exception: ChildFault | None
    exit_pid: None = None


class PrivateContext(SpawnContext):
    """For an executor of one process, with which it shares two pipes and nothing else."""

    def SimpleQueue(self) -> "AnswerQueue":  # type: ignore[override]  # noqa: N802
        return AnswerQueue(self)

    def Lock(self) -> "_NoLock":  # type: ignore[override]  # noqa: N802
        return _NoLock()

    def BoundedSemaphore(self, value: int = 1) -> "_NoLock":  # type: ignore[override]  # noqa: ARG002, N802
        return _NoLock()


class _NoLock:
    """Replaces locks and semaphores, which a process that was taken over would never release.

    None is needed: each end of a pipe has one user, and there is one call at a time.
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
    """The executor's queue of results: it puts into it in the OCR process, and takes from `_reader` in the server."""

    def __init__(self, context: SpawnContext) -> None:
        receiving, self._sending = context.Pipe(duplex=False)
        self._reader = _Reader(receiving)

    def put(self, item: Any) -> None:
        """Send what a call has returned or raised."""
        if isinstance(item, int):
            # A process that ends by itself announces it; the server sees it when the process has ended.
            return
        if item.exception is not None:
            # The executor wraps it to carry the traceback.
            error = item.exception.exc
            message = f"{type(error).__name__}: {error}"[:MAX_MESSAGE]
            answer: Answer = Raised(message, error.errno if isinstance(error, OSError) else None)
        elif isinstance(item.result, Failed):
            answer = msgspec.structs.replace(item.result, detail=item.result.detail[:MAX_DETAIL])
        else:
            answer = item.result
        self._sending.send_bytes(msgspec.msgpack.encode((item.work_id, answer)))

    def expect(self, answer: type[A], *, fits: Callable[[A], bool] = lambda _: True) -> None:
        """Let one more answer through: one of this type that fits, or the report of a failure."""
        self._reader.expected = _Expected(answer, fits)

    @property
    def ended(self) -> bool:
        """True if no answer can come any more."""
        return self._reader.ended

    @property
    def invalid(self) -> bool:
        """True if the last answer was refused."""
        return self._reader.invalid

    def close_sender(self) -> None:
        """Close the server's copy of the sending end, once the process has its own.

        The pipe then breaks when the process is gone, and all that it has started.
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
    """The one answer that may come next."""

    answer: type[Answer]
    fits: Callable[[Any], bool]

    def check(self, answer: Answer) -> None:
        """Raises InvalidAnswer unless the request may be answered like that."""
        if isinstance(answer, Failed | Raised):
            return
        if type(answer) is not self.answer or not self.fits(answer):
            raise InvalidAnswer("the answer does not fit the request")


class _Reader:
    """The server's end. Whatever it raises ends the executor and its process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.expected: _Expected | None = None
        self.ended = False
        self.invalid = False

    def fileno(self) -> int:
        return self._connection.fileno()

    def close(self) -> None:
        self._connection.close()

    def recv(self) -> ResultItem:
        """Take an answer from the pipe. Raises InvalidAnswer, msgspec's and zlib's errors, EOFError and OSError."""
        try:
            return self._received(self._connection.recv_bytes(MAX_ANSWER_BYTES))
        except Exception as error:
            self.ended = True
            self.invalid = not isinstance(error, EOFError)
            if self.invalid:
                log.warning("OCR process answered nonsense", extra={"fault": type(error).__name__})
            raise

    def _received(self, body: bytes) -> ResultItem:
        expected, self.expected = self.expected, None
        if expected is None:
            raise InvalidAnswer("there was no request")
        work_id, answer = _message.decode(body)
        expected.check(answer)
        if isinstance(answer, Raised):
            return ResultItem(work_id, None, ChildFault(answer.message[:MAX_MESSAGE], errno=answer.errno))
        _check(answer)
        return ResultItem(work_id, answer, None)


def _check(answer: Answer) -> None:
    """Raises InvalidAnswer, or the error of a decoder, if a value of the answer is out of its bounds."""
    match answer:
        case Opened(readings=readings, failure=failure):
            if failure:
                _check_failure(failure)
        case OwnTexts(readings=readings):
            pass
        case PageRead(reading=reading):
            readings = (reading,)
        case Failed(failure=failure, detail=detail):
            readings = ()
            _check_failure(failure)
            if len(detail) > MAX_DETAIL:
                raise InvalidAnswer("the detail is too long")
        case _:
            readings = ()
    for reading in readings:
        _check_reading(reading)


def _check_failure(failure: Failure) -> None:
    if len(failure.message) > MAX_MESSAGE or failure.page is not None:
        raise InvalidAnswer("the failure is out of bounds")


def _check_reading(reading: Reading) -> None:
    counts = (reading.width, reading.height, 1 if reading.dpi is None else reading.dpi)
    if not (
        all(1 <= count <= MAX_NUMBER for count in counts)
        and reading.rotation in ROTATIONS
        and 0 <= reading.confidence <= 100
        and len(reading.text) <= MAX_TEXT
        and (reading.languages is None or _are_names(reading.languages))
    ):
        raise InvalidAnswer("the page is out of bounds")
    _check_layout(reading.layout)


def _check_layout(packed: bytes) -> None:
    """Unpack a layout within MAX_LAYOUT_BYTES and check its shape."""
    inflater = zlib.decompressobj()
    layout = inflater.decompress(packed, MAX_LAYOUT_BYTES)
    if not inflater.eof:
        raise InvalidAnswer("the layout is too long or incomplete")
    _layout.decode(layout)


def _are_names(languages: str) -> bool:
    return len(languages) <= MAX_NAMES and NAMES.fullmatch(languages) is not None
