"""Structured logs: one JSON object per line on standard output, with the request, job, page and trace that it belongs
to.
"""

import asyncio
import logging
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import lru_cache
from types import MappingProxyType, TracebackType
from typing import Any, TextIO

import orjson
from pythonjsonlogger.orjson import OrjsonFormatter

from docserver import tracing

_facts: ContextVar[Mapping[str, Any]] = ContextVar("facts", default=MappingProxyType({}))

FRAMES_SHOWN = 6
"""How many of an exception's innermost frames are logged: enough to find the place, short enough for one line."""


@contextmanager
def log_context(**facts: Any) -> Iterator[None]:
    """Add these facts to every line that is logged inside the block."""
    token = _facts.set({**_facts.get(), **facts})
    try:
        yield
    finally:
        _facts.reset(token)


def add_to_context(**facts: Any) -> None:
    """Add these facts to every line that the current task logs from now on."""
    _facts.set({**_facts.get(), **facts})


def set_up(level: str, stream: TextIO | None = None) -> None:
    """Send all logs of this process to standard output, or to another stream, as JSON."""
    handler = _LineHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    # `logging` looks up the source line, thread and process of each record. That takes time, and our lines do not show
    # them. These switches turn the lookups off; see the section "Optimization" of Python's logging HOWTO.
    logging._srcfile = None  # noqa: SLF001
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    for noisy in ("asyncio", "aiohttp.access", "PIL"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def log_request(log: logging.Logger, facts: Mapping[str, Any]) -> None:
    """Log a line about a request that has been answered, as `log.info("request", extra=facts)` does outside of all
    contexts. Every request has this line, and with a record of `logging` it would take four times as long.
    """
    if not log.isEnabledFor(logging.INFO):
        return
    handlers = logging.getLogger().handlers
    if len(handlers) == 1 and isinstance(handlers[0], _LineHandler):
        now = _time(time.time())
        handlers[0].write({"time": now, "level": "info", "service": _service(log.name), "message": "request", **facts})
    else:
        # Others listen too, as those of tests.
        log.info("request", extra=facts)


class _LineHandler(logging.StreamHandler[TextIO]):
    """Writes lines, also those of which there is no record."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: list[bytes] = []
        """Lines that are not written yet."""

    def write(self, fields: Mapping[str, Any]) -> None:
        """Write a line with these fields, all of types that JSON has; lines of one turn of the event loop together."""
        self._lines.append(orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE))
        if len(self._lines) == 1:
            try:
                asyncio.get_running_loop().call_soon(self._write_lines)
            except RuntimeError:
                self._write_lines()

    def emit(self, record: logging.LogRecord) -> None:
        self._write_lines()
        super().emit(record)

    def close(self) -> None:
        self._write_lines()
        super().close()

    def _write_lines(self) -> None:
        with self.lock or nullcontext():
            lines, self._lines = self._lines, []
            if not lines:
                return
            try:
                self.stream.write(b"".join(lines).decode())
                self.stream.flush()
            except (OSError, ValueError):
                # As for all other lines: nobody may read the log, and the service goes on.
                self.handleError(logging.makeLogRecord(orjson.loads(lines[0])))


class JsonFormatter(OrjsonFormatter):
    """Fields: time, level, service, message, then the ids of the current span, the fields from `log_context`, and those
    from the call's `extra`.

    The service is the second part of the logger's name: `api` for `docserver.api`. For an exception, the line shows its
    type and the positions in the code. It never shows the exception's text or source lines, which may contain a
    client's data.
    """

    def __init__(self) -> None:
        super().__init__("%(message)s", json_default=str)

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        fields = {
            "time": _time(record.created),
            "level": record.levelname.lower(),
            "service": _service(record.name),
            # If a task fails, asyncio logs the exception's text after the first line. The text may contain a client's
            # data.
            "message": message.partition("\n")[0] if record.name == "asyncio" else message,
            **tracing.ids(),
            **_facts.get(),
            **{key: fact for key, fact in record.__dict__.items() if key not in _STANDARD},
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return self.jsonify_log_record(fields)

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        try:
            return super().jsonify_log_record(log_data)
        except (TypeError, ValueError):
            # A value that JSON cannot represent must not prevent the log line.
            return super().jsonify_log_record({key: _printable(value) for key, value in log_data.items()})

    def formatException(  # noqa: N802 - the base class's name
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        kind, error, places = ei
        if kind is None or error is None:
            return ""
        frames = traceback.extract_tb(places)[-FRAMES_SHOWN:]
        at = " > ".join(f"{_module(frame.filename)}:{frame.lineno}" for frame in frames)
        cause = f", from {type(error.__cause__).__name__}" if error.__cause__ else ""
        return f"{kind.__name__}{cause} at {at}"


@lru_cache
def _service(name: str) -> str:
    whole, _, part = name.partition(".")
    return part.partition(".")[0] if part and whole == "docserver" else name


def _printable(value: Any) -> str:
    try:
        return str(value).encode("ascii", "backslashreplace").decode()
    except Exception:  # noqa: BLE001 - an object's __str__ may raise anything
        return "unprintable"


def _module(filename: str) -> str:
    return ".".join(filename.removesuffix(".py").rsplit("/", 2)[-2:])


def _time(created: float) -> str:
    second = int(created)
    return f"{_second(second)}.{int((created - second) * 1_000_000):06d}Z"


@lru_cache(maxsize=1)
def _second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
