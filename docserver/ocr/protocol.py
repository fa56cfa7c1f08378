"""Both sides: how an OCR process answers. What comes from it is data of known shapes, and never a pickle.

A process that its document has taken over may answer whatever it likes, and to unpickle that would be to run it here.
"""

import logging
import zlib
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, assert_spawning
from typing import Annotated, Any, TypeVar

import msgspec

from docserver.model import Box, Reading
from docserver.ocr.languages import MAX_NAMES, NAMES
from docserver.ocr.limits import MAX_TEXT, Outcome

T = TypeVar("T")

log = logging.getLogger(__name__)

MAX_REPLY_BYTES = 32 * 1024 * 1024
"""Of an answer; eight of the fullest pages, compressed, take some megabytes."""

MAX_LAYOUT_BYTES = 32 * 1024 * 1024
"""Of a page, before it is compressed: as many words as MAX_TEXT allows, each in a block of its own."""

MAX_MESSAGE = 500
MAX_DETAIL = 4000
"""Characters; a program may repeat one complaint for every object of a file."""

MAX_NUMBER = 2**31 - 1
"""What a column holds."""

ROTATIONS = frozenset({0, 90, 180, 270})
SOURCES = frozenset({"ocr", "text_layer"})

_Some = Annotated[list[T], msgspec.Meta(min_length=1)]
_Line = tuple[Box, _Some[tuple[str, Box, float]]]
_layout = msgspec.json.Decoder(list[tuple[Box, _Some[tuple[Box, _Some[_Line]]]]])
"""What `model.pack_blocks` makes."""


class Nonsense(Exception):
    """An answer that no OCR process gives unless it was taken over."""


class ChildFault(Exception):
    """What an OCR process raised: no document does that, only a fault of the program or of the machine."""

    def __init__(self, said: str, *, errno: int | None) -> None:
        super().__init__(said)
        self.errno = errno


class _Answer(msgspec.Struct, array_like=True):
    """As it travels."""

    work_id: int
    outcome: Outcome | None = None
    fault: str = ""
    errno: int | None = None


_answer = msgspec.msgpack.Decoder(_Answer)


@dataclass(slots=True)
class Done:
    """An answer as the manager of a ProcessPoolExecutor wants it."""

    work_id: int
    result: Outcome | None
    exception: ChildFault | None
    exit_pid: None = None


class Alone(SpawnContext):
    """For an executor of one process, with which it shares two pipes and nothing else."""

    def SimpleQueue(self) -> "Replies":  # type: ignore[override]  # noqa: N802
        return Replies(self)

    def Lock(self) -> "_Unshared":  # type: ignore[override]  # noqa: N802
        return _Unshared()

    def BoundedSemaphore(self, value: int = 1) -> "_Unshared":  # type: ignore[override]  # noqa: ARG002, N802
        return _Unshared()


class _Unshared:
    """In place of a lock or a semaphore, which a process that was taken over could keep.

    Each end of the pipes has one user, and there is one call at a time.
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
    def _semlock(self) -> "_Unshared":
        return self

    def _is_zero(self) -> bool:
        return False


class Replies:
    """The queue of results: the executor puts into it in the OCR process, and takes from its `_reader` here."""

    def __init__(self, context: SpawnContext) -> None:
        receiving, self._sending = context.Pipe(duplex=False)
        self._reader = _Reader(receiving)

    def put(self, item: Any) -> None:
        if isinstance(item, int):
            # A process that ends by itself says so; here that is seen when it has ended.
            return
        answer = _Answer(item.work_id)
        if item.exception is None:
            answer.outcome = replace(item.result, detail=item.result.detail[:MAX_DETAIL])
        else:
            # It comes in a wrapper that carries the traceback.
            error = item.exception.exc
            answer.fault = f"{type(error).__name__}: {error}"[:MAX_MESSAGE]
            answer.errno = error.errno if isinstance(error, OSError) else None
        self._sending.send_bytes(msgspec.msgpack.encode(answer))

    def expect(self) -> None:
        """Take one more answer."""
        self._reader.expected += 1

    @property
    def over(self) -> bool:
        """Whether no answer can come any more."""
        return self._reader.over

    def started(self) -> None:
        """The process has its end by now; the pipe breaks when it is gone, and all that it has started."""
        self._sending.close()

    def close(self) -> None:
        self._reader.close()
        self._sending.close()

    def __getstate__(self) -> Connection:
        assert_spawning(self)
        return self._sending

    def __setstate__(self, sending: Connection) -> None:
        self._sending = sending


class _Reader:
    """The server's end. Whatever it raises ends the executor and its process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.expected = 0
        self.over = False

    def fileno(self) -> int:
        return self._connection.fileno()

    def close(self) -> None:
        self._connection.close()

    def recv(self) -> Done:
        try:
            return self._done(self._connection.recv_bytes(MAX_REPLY_BYTES))
        except Exception as error:
            self.over = True
            if not isinstance(error, EOFError):
                log.warning("OCR process answered nonsense", extra={"fault": type(error).__name__})
            raise

    def _done(self, body: bytes) -> Done:
        self.expected -= 1
        if self.expected < 0:
            raise Nonsense("nobody has asked")
        answer = _answer.decode(body)
        if answer.outcome is None:
            return Done(answer.work_id, None, ChildFault(answer.fault[:MAX_MESSAGE], errno=answer.errno))
        _check(answer.outcome)
        return Done(answer.work_id, answer.outcome, None)


def _check(outcome: Outcome) -> None:
    failure = outcome.failure
    if failure and (len(failure.message) > MAX_MESSAGE or failure.page is not None):
        raise Nonsense("no failure is like that")
    if len(outcome.detail) > MAX_DETAIL:
        raise Nonsense("too much detail")
    for reading in outcome.readings:
        _check_reading(reading)


def _check_reading(reading: Reading) -> None:
    counts = (reading.width, reading.height, 1 if reading.dpi is None else reading.dpi)
    if not (
        all(1 <= count <= MAX_NUMBER for count in counts)
        and reading.rotation in ROTATIONS
        and reading.source in SOURCES
        and 0 <= reading.confidence <= 100
        and len(reading.text) <= MAX_TEXT
        and (reading.languages is None or _are_names(reading.languages))
    ):
        raise Nonsense("no page is like that")
    inflater = zlib.decompressobj()
    layout = inflater.decompress(reading.layout, MAX_LAYOUT_BYTES)
    if not inflater.eof:
        raise Nonsense("the layout is too long or incomplete")
    _layout.decode(layout)


def _are_names(languages: str) -> bool:
    return len(languages) <= MAX_NAMES and NAMES.fullmatch(languages) is not None
