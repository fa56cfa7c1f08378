"""Log lines: one JSON object each, with the facts that operators search by, and nothing that a client sent."""

import ast
import asyncio
import io
import logging
import re
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

import docserver
from docserver import logs
from docserver.logs import JsonFormatter, add_to_context, log_context

SECRET = "what-the-client-sent"


class Log:
    """A logger with our format, and the lines that it has written."""

    def __init__(self, name: str = "docserver.api") -> None:
        self._written = io.StringIO()
        handler = logging.StreamHandler(self._written)
        handler.setFormatter(JsonFormatter())
        self.logger = logging.Logger(name)  # noqa: LOG001 - outside the tree, so that no other handler sees it
        self.logger.addHandler(handler)

    @property
    def text(self) -> str:
        return self._written.getvalue()

    @property
    def line(self) -> dict[str, Any]:
        """The only line."""
        assert self.text.endswith("\n")
        (only,) = self.text.splitlines()
        found: dict[str, Any] = orjson.loads(only)
        return found


@pytest.fixture
def log() -> Log:
    return Log()


def test_a_line_says_when_how_bad_where_and_what(log: Log) -> None:
    log.logger.warning("page %s", "read")

    line = log.line
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line.pop("time"))
    assert line == {"level": "warning", "service": "api", "message": "page read"}


def test_the_time_is_that_of_the_record_in_utc(log: Log) -> None:
    for created in (0.25, 86400.75, 0.5):
        facts = {"name": "docserver.api", "msg": "x", "levelno": logging.INFO, "levelname": "INFO", "created": created}
        log.logger.handle(logging.makeLogRecord(facts))

    times = [orjson.loads(line)["time"] for line in log.text.splitlines()]
    assert times == ["1970-01-01T00:00:00.250000Z", "1970-01-02T00:00:00.750000Z", "1970-01-01T00:00:00.500000Z"]


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("docserver.worker", "worker"),
        ("docserver.ocr.server.slot", "ocr"),
        ("docserver", "docserver"),
        ("aiohttp.server", "aiohttp.server"),
    ],
)
def test_the_service_is_the_part_of_the_program_that_speaks(name: str, service: str) -> None:
    log = Log(name)

    log.logger.info("x")

    assert log.line["service"] == service


def test_facts_of_the_call_and_of_the_context_stand_in_the_line(log: Log) -> None:
    with log_context(job_id="j", page=1), log_context(page=2):
        log.logger.info("x", extra={"duration_ms": 5})

    line = log.line
    assert (line["job_id"], line["page"], line["duration_ms"]) == ("j", 2, 5)


async def test_facts_of_a_task_stand_in_its_lines_alone(log: Log) -> None:
    async def answer(request_id: str) -> None:
        add_to_context(request_id=request_id)
        add_to_context(page=2)
        await asyncio.sleep(0)
        log.logger.info("x")

    await asyncio.gather(answer("a"), answer("b"))
    log.logger.info("y")

    lines = [orjson.loads(line) for line in log.text.splitlines()]
    assert [(line.get("request_id"), line.get("page")) for line in lines] == [("a", 2), ("b", 2), (None, None)]


def test_facts_end_with_their_context_also_when_it_raises(log: Log) -> None:
    with pytest.raises(KeyError), log_context(page=2):
        raise KeyError
    log.logger.info("x")

    assert "page" not in log.line


def test_a_line_has_no_fields_of_the_logging_module(log: Log) -> None:
    log.logger.info("x", extra={"fact": 1})

    assert log.line.keys() == {"time", "level", "service", "message", "fact"}


def test_the_fields_of_a_line_stand_in_the_order_in_which_they_were_given(log: Log) -> None:
    with log_context(request_id="r", job_id="j"):
        log.logger.info("x", extra={"third": 3, "first": 1, "second": 2})

    assert [*log.line] == ["time", "level", "service", "message", "request_id", "job_id", "third", "first", "second"]


def test_a_message_of_several_lines_is_one_line_of_the_log(log: Log) -> None:
    log.logger.info("first\nsecond\r\nthird", extra={"fact": "a\nb"})

    assert log.line["message"] == "first\nsecond\r\nthird"


def fail() -> None:
    raise ValueError(SECRET)


def fail_from_another_fault() -> None:
    try:
        fail()
    except ValueError as error:
        raise RuntimeError(SECRET) from error


def fail_in_several_ways() -> None:
    raise ExceptionGroup(SECRET, [ValueError(SECRET)])


def fail_deep_down(depth: int = 100) -> None:
    if depth:
        fail_deep_down(depth - 1)
    raise ValueError(SECRET)


def test_an_exception_is_told_by_its_kind_and_place_alone(log: Log) -> None:
    try:
        fail_from_another_fault()
    except RuntimeError:
        log.logger.exception("unexpected fault")

    assert re.fullmatch(
        r"RuntimeError, from ValueError at unit\.test_logs:\d+ > unit\.test_logs:\d+", log.line["exception"]
    )
    assert SECRET not in log.text
    assert __file__ not in log.text


def test_an_exception_group_shows_nothing_of_what_is_inside(log: Log) -> None:
    try:
        fail_in_several_ways()
    except ExceptionGroup:
        log.logger.exception("unexpected fault")

    assert log.line["exception"].startswith("ExceptionGroup at ")
    assert SECRET not in log.text


def test_an_exception_from_deep_down_shows_only_its_deepest_places(log: Log) -> None:
    try:
        fail_deep_down()
    except ValueError:
        log.logger.exception("unexpected fault")

    assert log.line["exception"].count(" > ") == logs.FRAMES_SHOWN - 1


def test_exc_info_without_an_exception_does_no_harm(log: Log) -> None:
    log.logger.error("x", exc_info=True)  # noqa: LOG014 - just this

    assert log.line["message"] == "x"


class Silent:
    """An object that cannot be told."""

    def __str__(self) -> str:
        raise ValueError(SECRET)

    __repr__ = __str__


ODD: Mapping[str, Any] = {
    "an object": object(),
    "an infinite number": float("inf"),
    "a set": {1},
    "bytes": b"\xff",
    "keys that are no text": {1: "x", (1, 2): "y"},
    "a large number": 2**80,
    "half a character": "\ud800",
    "an object that cannot be told": Silent(),
}


@pytest.mark.parametrize("kind", ODD)
def test_no_fact_is_so_odd_that_the_line_is_lost(log: Log, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    log.logger.info("x", extra={"fact": ODD[kind], "job_id": "j"})

    assert (log.line["message"], log.line["job_id"]) == ("x", "j")
    assert capsys.readouterr().err == ""


@pytest.fixture
def untouched() -> Iterator[None]:
    """Puts back what `set_up` changes for the whole process."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    switches = ("_srcfile", "logThreads", "logProcesses", "logMultiprocessing")
    values = [getattr(logging, name) for name in switches]
    levels = {name: logging.getLogger(name).level for name in ("asyncio", "aiohttp.access", "PIL")}
    yield
    root.handlers[:], root.level = before
    for name, value in zip(switches, values, strict=True):
        setattr(logging, name, value)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(capture=False)


@pytest.mark.usefixtures("untouched")
def test_all_logs_of_the_process_go_to_standard_output_from_the_level_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stdout", written)

    logs.set_up("WARNING")
    logging.getLogger("docserver.api").info("too quiet")
    logging.getLogger("docserver.api").warning("heard")
    logging.getLogger("anything.else").error("heard too")

    lines = [orjson.loads(line) for line in written.getvalue().splitlines()]
    assert [(line["service"], line["message"]) for line in lines] == [("api", "heard"), ("anything.else", "heard too")]


@pytest.mark.usefixtures("untouched")
def test_the_line_of_a_request_is_as_of_any_other_call(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stdout", written)
    monkeypatch.setattr(time, "time", lambda: 86400.75)
    log, facts = logging.getLogger("docserver.api"), {"request_id": "a", "route": None, "status": 200}

    logs.set_up("INFO")
    log.info("request", extra=facts)
    logs.log_request(log, facts)

    by_logging, by_itself = written.getvalue().splitlines()
    assert by_itself == by_logging
    assert orjson.loads(by_itself)["time"] == "1970-01-02T00:00:00.750000Z"


class Counting(io.StringIO):
    """Counts how often something is written."""

    writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)


@pytest.mark.usefixtures("untouched")
async def test_lines_of_requests_that_end_together_are_written_together_and_before_later_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = Counting()
    monkeypatch.setattr(sys, "stdout", written)
    log = logging.getLogger("docserver.api")
    logs.set_up("INFO")

    for number in range(10):
        logs.log_request(log, {"number": number})
    await asyncio.sleep(0)
    assert written.writes == 1
    logs.log_request(log, {"number": 10})
    log.info("later")

    lines = [orjson.loads(line) for line in written.getvalue().splitlines()]
    assert [line.get("number", line["message"]) for line in lines] == [*range(11), "later"]


@pytest.mark.usefixtures("untouched")
async def test_a_line_of_a_request_is_written_also_if_the_process_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stdout", written)
    logs.set_up("INFO")

    logs.log_request(logging.getLogger("docserver.api"), {"status": 200})
    logging.shutdown()

    assert orjson.loads(written.getvalue())["status"] == 200


@pytest.mark.usefixtures("untouched")
def test_a_request_is_not_logged_below_the_level(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stdout", written)

    logs.set_up("WARNING")
    logs.log_request(logging.getLogger("docserver.api"), {"status": 200})

    assert written.getvalue() == ""


@pytest.mark.usefixtures("untouched")
def test_a_request_is_answered_although_nobody_takes_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stdout", written)

    logs.set_up("INFO")
    written.close()
    logs.log_request(logging.getLogger("docserver.api"), {"status": 200})

    assert "closed file" in capsys.readouterr().err


def test_others_hear_of_requests_too(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        logs.log_request(logging.getLogger("docserver.api"), {"status": 200})

    assert caplog.messages == ["request"]


def test_no_fact_of_a_log_call_has_a_name_that_logging_reserves() -> None:
    """`logging` raises KeyError for such a fact, and only when the line is logged, which may be long after a test."""
    reserved = logging.makeLogRecord({}).__dict__.keys() | {"message", "asctime"}
    calls = [
        (path, keyword.value)
        for path in Path(docserver.__file__).parent.rglob("*.py")
        if "extra=" in (source := path.read_text())
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "extra" and isinstance(keyword.value, ast.Dict)
    ]
    facts = {(path.name, key.value) for path, given in calls for key in given.keys if isinstance(key, ast.Constant)}

    assert facts
    assert [(name, fact) for name, fact in facts if fact in reserved] == []
