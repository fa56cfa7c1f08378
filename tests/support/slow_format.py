"""Formats that misbehave. The process that writes a result imports this module, so the functions have no closures."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from docserver.formats import TextFormat
from docserver.model import Job, Page


class Calls:
    """In the place of a page: the process that unpickles it makes this call."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self._function = function
        self._arguments = arguments

    def __reduce__(self) -> tuple[object, ...]:
        return self._function, self._arguments


def waiting(directory: Path, *, weight: float = 1e9) -> TextFormat:
    """Waits until `directory` has a file `go`, and leaves a file with the id of each process that writes it."""
    return TextFormat("waiting", "text/plain", "txt", partial(_wait, directory), weight=weight)


def raising(error: BaseException) -> TextFormat:
    return TextFormat("raising", "text/plain", "txt", partial(_raise, error), weight=1e9)


def killed() -> TextFormat:
    """Ends its process as the kernel does when memory runs out."""
    return TextFormat("killed", "text/plain", "txt", _kill, weight=1e9)


def _wait(directory: Path, job: Job, pages: Sequence[Page]) -> Iterator[bytes]:
    (directory / str(os.getpid())).touch()
    while not (directory / "go").exists():
        time.sleep(0.01)
    yield b"piece" * len(pages)


def _raise(error: BaseException, job: Job, pages: Sequence[Page]) -> Iterator[bytes]:
    yield b"piece"
    raise error


def _kill(job: Job, pages: Sequence[Page]) -> Iterator[bytes]:
    yield b"piece"
    os.kill(os.getpid(), signal.SIGKILL)
