"""What docserver uses of libraries beyond what their documentation promises: where, and what to do when it moves.

Everything private (`_name`) that docserver reaches for must be in this list; the last test sees to that.
"""

import ast
import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import process as futures
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing import context, queues, resource_tracker
from platform import python_version

import aiomysql
import pytest
from aiohttp import TCPConnector, web
from aiohttp.test_utils import make_mocked_request
from aiohttp_apispec.aiohttp_apispec import AiohttpApiSpec
from aiomysql.connection import MySQLResult
from multidict import CIMultiDict, CIMultiDictProxy
from py3langid import langid
from pytesseract.pytesseract import run_tesseract
from pythonjsonlogger.orjson import OrjsonFormatter
from redis._parsers.hiredis import _AsyncHiredisParser
from redis.asyncio.connection import AbstractConnection, ConnectionPool

from tests.support.upstream import (
    PACKAGE,
    a_connection_knows_its_loop,
    a_driver_that_is_not_connected_has_no_reader,
    a_result_has_the_fields_that_travel,
    a_writer_counts_what_it_sent,
    all_raw_names_exist,
    an_executor_takes_its_queue_from_the_context,
    has_parameters,
    has_source,
)

PYTHON = "Python"


AIOHTTP = "See aiohttp/web_protocol.py for where this is now; tests/integration/test_connections.py shows if it works."


PIPES = (
    "Give the executor its own pipes in another way: an OCR process that was taken over must send data, never a pickle."
)


POOL = "Reach the process of a slot in another way: to kill it with all that it started, its id is needed."


@dataclass(frozen=True, slots=True)
class Internal:
    """Something that a release of `library` may change without notice."""

    library: str
    name: str
    used_in: str
    """Below `docserver/`."""
    remedy: str
    holds: Callable[[], bool | Awaitable[bool]]

    @property
    def complaint(self) -> str:
        release = python_version() if self.library == PYTHON else version(self.library)
        fault = f"{self.library} {release} has moved or changed {self.name}, which docserver/{self.used_in} uses."
        return f"{fault} {self.remedy}"


def a_message_can_lose_a_header() -> bool:
    message = make_mocked_request("GET", "/", headers={"Expect": "100-continue"})._message
    return has_source(web.RequestHandler.start, "self._request_factory(\n                message,") and not (
        message._replace(headers=CIMultiDictProxy(CIMultiDict())).headers
    )


INTERNALS = [
    Internal(
        "aiohttp",
        "RequestHandler._request_count",
        "web/connections.py",
        AIOHTTP,
        lambda: has_source(
            web.RequestHandler.data_received, "self._request_count += 1\n                self._messages.append"
        ),
    ),
    Internal(
        "aiohttp",
        "TCPConnector._factory",
        "webhooks/bounded_answer.py",
        "Bound the head of a receiver's answer in another way; tests/unit/test_webhook_client.py shows if it works.",
        lambda: has_source(TCPConnector._create_direct_connection, "                    self._factory,\n"),
    ),
    Internal("aiohttp", "RequestHandler._loop", "web/connections.py", AIOHTTP, a_connection_knows_its_loop),
    Internal(
        "aiohttp",
        "RequestHandler.__init__",
        "web/connections.py",
        AIOHTTP,
        lambda: has_parameters(
            web.RequestHandler,
            *("manager", "loop", "access_log_class", "keepalive_timeout", "lingering_time"),
            *("max_line_size", "max_field_size", "max_headers", "auto_decompress"),
        ),
    ),
    Internal(
        "aiohttp",
        "RequestHandler.handle_error",
        "web/connections.py",
        "Override what answers a request that no handler sees now, so that its errors are problem+json too.",
        lambda: has_parameters(web.RequestHandler.handle_error, "request", "status", "exc", "message"),
    ),
    Internal(
        "aiohttp",
        "RequestHandler._handle_request",
        "web/connections.py",
        "Find out in another way when a request has been answered: until then it counts against its client's limit.",
        lambda: has_source(web.RequestHandler.start, "self._handle_request(request, start, request_handler)"),
    ),
    Internal(
        "aiohttp",
        "Server.request_handler",
        "web/listener.py",
        "Wrap the application in another way, so that each request passes the checks of web/admission.py.",
        lambda: has_source(web.Server.__init__, "self.request_handler = handler"),
    ),
    Internal(
        "aiohttp",
        "Server.request_factory, and RawRequestMessage._replace",
        "web/expectations.py",
        "Take the Expect header out of requests in another way; tests/integration/test_api_expectations.py shows if it "
        "works. Without that, aiohttp asks for the body of a request before it is checked.",
        a_message_can_lose_a_header,
    ),
    Internal(
        "aiohttp",
        "the output_size of a request's writer",
        "web/connections.py, web/expectations.py",
        "Find out in another way whether a part of the answer has been sent.",
        a_writer_counts_what_it_sent,
    ),
    Internal(
        "aiohttp",
        "Request._match_info",
        "web/middleware.py",
        "The access log needs a request's route, and None for a request that was no HTTP.",
        lambda: hasattr(make_mocked_request("GET", "/"), "_match_info"),
    ),
    Internal(
        "aiohttp-apispec",
        "AiohttpApiSpec._register_route, ._update_paths, .plugin or .swagger_dict",
        "web/openapi.py",
        "Describe the routes for OpenAPI 3 in another way; tests/unit/test_openapi.py shows the result.",
        lambda: (
            has_parameters(AiohttpApiSpec._register_route, "route", "method", "view")
            and has_parameters(AiohttpApiSpec._update_paths, "data", "method", "url_path")
            and has_source(AiohttpApiSpec.__init__, "self.plugin", "self.spec")
            and has_source(AiohttpApiSpec.swagger_dict, "self.spec.to_dict()")
        ),
    ),
    Internal(
        "aiomysql",
        "Cursor._show_warnings",
        "database/driver.py",
        "Suppress in another way the statement by which the driver asks for warnings after each of ours.",
        lambda: (
            inspect.iscoroutinefunction(aiomysql.DictCursor._show_warnings)
            and has_source(aiomysql.Cursor, "await self._show_warnings(conn)")
        ),
    ),
    Internal(
        "aiomysql",
        "Connection._reader",
        "database/connection.py",
        "Ask in another way whether the server has closed an idle connection; the driver's own pool must do so too.",
        a_driver_that_is_not_connected_has_no_reader,
    ),
    Internal(
        "aiomysql",
        "the reader's at_eof",
        "database/connection.py",
        "See Pool._fill_free_pool for how the driver now tells that the server has closed a connection.",
        lambda: has_source(aiomysql.Pool._fill_free_pool, "._reader.at_eof()"),
    ),
    Internal(
        "aiomysql",
        "Connection._writer, Connection._write_bytes and Connection._connect",
        "database/driver.py",
        "Tell in another way that the server has reset a connection; uvloop raises RuntimeError at the next write.",
        lambda: (
            has_source(aiomysql.Connection._write_bytes, "self._writer.write(data)")
            and has_source(aiomysql.Connection._execute_command, "self._write_bytes(")
            and inspect.iscoroutinefunction(aiomysql.Connection._connect)
        ),
    ),
    Internal(
        "aiomysql",
        "Connection.escape",
        "database/driver.py",
        "Send bytes as hexadecimal digits in another way: escaped as text, they take three times the CPU time.",
        lambda: has_source(aiomysql.Cursor._escape_args, "conn.escape(arg)"),
    ),
    Internal(
        "aiomysql",
        "Connection._request_authentication, Connection._ssl_context and server_capabilities",
        "database/driver.py",
        "Refuse in another way a server without TLS before it gets the password, where TLS is asked for.",
        lambda: has_source(
            aiomysql.Connection._request_authentication,
            "if self._ssl_context and self.server_capabilities & CLIENT.SSL:",
        ),
    ),
    Internal(
        "aiomysql",
        "Connection.get_transaction_status",
        "database/connection.py",
        "Find out in another way whether a connection is still in a transaction, or close it after each error.",
        lambda: callable(aiomysql.Connection.get_transaction_status),
    ),
    Internal(
        "aiomysql",
        "Connection._read_packet with _encoding and _next_seq_id, and Connection._read_query_result",
        "database/driver.py",
        "Let the driver read all packets, at half as much CPU time again for each statement.",
        lambda: (
            has_source(
                aiomysql.Connection._read_packet,
                "self._next_seq_id = (self._next_seq_id + 1) % 256",
                "packet_type(buff, self._encoding)",
            )
            and has_source(aiomysql.Connection._read_query_result, "await result.read()", "self._result = result")
        ),
    ),
    Internal(
        "aiomysql",
        "MySQLResult._get_descriptions and MySQLResult._read_row_from_packet",
        "database/results.py",
        "Let the driver parse all results, at twice the CPU time for a row of a job.",
        lambda: (
            has_source(
                MySQLResult._get_descriptions,
                "await self.connection._read_packet()",
                "self.connection.decoders",
                "self.description = tuple(description)",
            )
            and has_source(MySQLResult._read_row_from_packet, "for encoding, converter in self.converters:")
        ),
    ),
    Internal(
        PYTHON,
        "StreamReader._buffer and StreamReader._maybe_resume_transport",
        "database/results.py",
        "Read each packet by StreamReader.readexactly, at half as much CPU time again for each statement.",
        lambda: has_source(
            asyncio.StreamReader.readexactly,
            "del self._buffer[:n]",
            "self._maybe_resume_transport()",
        ),
    ),
    Internal(
        "redis",
        "ConnectionPool.make_connection",
        "redis/node.py",
        "Make a connection from the URL in another way; commands use connections that the pool does not count.",
        lambda: has_parameters(ConnectionPool.make_connection, "self"),
    ),
    Internal(
        "redis",
        "AbstractConnection.send_packed_command, .read_response or .disconnect",
        "redis/node.py",
        "Send commands by the client's own pipeline, at more than twice the cost.",
        lambda: (
            has_parameters(AbstractConnection.send_packed_command, "command", "check_health")
            and inspect.iscoroutinefunction(AbstractConnection.read_response)
            and has_parameters(AbstractConnection.disconnect, "nowait")
        ),
    ),
    Internal(
        "redis",
        "AbstractConnection._parser with _reader, handle_push_response and NOT_ENOUGH_DATA of redis._parsers.hiredis",
        "redis/node.py",
        "Read each reply by AbstractConnection.read_response, at the cost of a twentieth of a cached read.",
        lambda: (
            has_source(_AsyncHiredisParser.read_response, "self._reader.gets()", "response is NOT_ENOUGH_DATA")
            and has_parameters(_AsyncHiredisParser.handle_push_response, "response")
            and has_source(AbstractConnection._read_response_from_parser, "self._parser.read_response(")
        ),
    ),
    Internal(
        PYTHON,
        "ProcessPoolExecutor._result_queue or ._processes",
        "ocr/server/process.py",
        POOL,
        an_executor_takes_its_queue_from_the_context,
    ),
    Internal(
        PYTHON,
        "ProcessPoolExecutor._call_queue with _on_queue_feeder_error and _reader, or ._pending_work_items",
        "ocr/server/process.py",
        PIPES,
        lambda: (
            has_source(queues.Queue, "self._on_queue_feeder_error,", "self._reader, self._writer =")
            and has_source(futures.ProcessPoolExecutor.__init__, "self._call_queue =", "self._pending_work_items =")
        ),
    ),
    Internal(
        PYTHON,
        "the _reader of an executor's queue of results",
        "ocr/protocol.py",
        PIPES,
        lambda: has_source(futures._ExecutorManagerThread, "result_reader = self.result_queue._reader", ".recv()"),
    ),
    Internal(
        PYTHON,
        "what an executor puts into its queue of results",
        "ocr/protocol.py",
        PIPES,
        a_result_has_the_fields_that_travel,
    ),
    Internal(
        PYTHON,
        "the Lock, BoundedSemaphore and _semlock._is_zero of a multiprocessing.Queue",
        "ocr/protocol.py",
        PIPES,
        lambda: (
            has_source(queues.Queue.__init__, "ctx.Lock()", "ctx.BoundedSemaphore(maxsize)")
            and has_source(queues.Queue.full, "self._sem._semlock._is_zero()")
        ),
    ),
    Internal(
        PYTHON,
        "multiprocessing.context.assert_spawning",
        "ocr/protocol.py",
        PIPES,
        lambda: callable(context.assert_spawning),
    ),
    Internal(
        PYTHON,
        "multiprocessing.resource_tracker.getfd",
        "ocr/child/main.py",
        "The resource tracker runs outside the sandbox and unlinks shared memory on command; keep the child from it.",
        lambda: isinstance(resource_tracker.getfd(), int),
    ),
    Internal(
        PYTHON,
        "logging._srcfile",
        "logs.py",
        "See 'Optimization' in Python's logging HOWTO for how to keep log calls from looking up their place.",
        lambda: isinstance(logging._srcfile, str | None),
    ),
    Internal(
        "python-json-logger",
        "OrjsonFormatter.jsonify_log_record",
        "logs.py",
        "Encode the fields of a line by what the formatter calls now.",
        lambda: has_parameters(OrjsonFormatter.jsonify_log_record, "log_data"),
    ),
    Internal(
        "pytesseract",
        "pytesseract.run_tesseract",
        "ocr/recognition/tesseract_program.py",
        "One run must leave both the text and the table of words; image_to_string and image_to_data would be two runs.",
        lambda: has_parameters(run_tesseract, "input_filename", "output_filename_base", "extension", "lang", "config"),
    ),
    Internal(
        "py3langid",
        "langid.LanguageIdentifier.from_model_file or langid.MODEL_FILE",
        "ocr/recognition/language_detection.py",
        "Load the library's own model in another way.",
        lambda: callable(langid.LanguageIdentifier.from_model_file) and bool(langid.MODEL_FILE),
    ),
    Internal(
        "pypdfium2",
        "a name of pypdfium2.raw",
        "ocr/pdf/",
        "The raw names are PDFium's own: its headers tell what has become of them.",
        all_raw_names_exist,
    ),
]


@pytest.mark.parametrize("internal", INTERNALS, ids=lambda internal: f"{internal.library}: {internal.name}")
async def test_what_we_use_of_a_library_beyond_its_promises_is_still_there(internal: Internal) -> None:
    try:
        holds = internal.holds()
        holds = await holds if inspect.isawaitable(holds) else holds
    except Exception as error:  # noqa: BLE001 - whatever a name that is gone makes of it
        pytest.fail(f"{internal.complaint} ({type(error).__name__}: {error})")
    assert holds, internal.complaint


def test_the_calls_of_tesserocr_are_still_there() -> None:
    tesserocr = pytest.importorskip("tesserocr")
    source = (PACKAGE / "ocr" / "recognition" / "tesseract_library.py").read_text()
    calls = {
        node.func.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr[0].isupper()
    } - {"PyTessBaseAPI"}
    missing = {name for name in calls if not hasattr(tesserocr.PyTessBaseAPI, name)}

    assert "GetTSVText" in calls
    assert not missing, (
        f"tesserocr {version('tesserocr')} has no PyTessBaseAPI.{', '.join(missing)} any more, which "
        f"docserver/ocr/recognition/tesseract_library.py uses. Find its new name, or read with pytesseract until then."
    )


def test_each_private_name_of_a_library_that_we_use_is_in_the_list() -> None:
    listed = " ".join(internal.name for internal in INTERNALS)
    unlisted = {
        f"{path.relative_to(PACKAGE)} uses {name}"
        for path in PACKAGE.rglob("*.py")
        for name in private_names(ast.parse(path.read_text()))
        if name not in listed
    }

    assert not unlisted


def private_names(tree: ast.Module) -> Iterator[str]:
    """Attributes `_name` that the module reads or writes but does not define: those of the libraries' objects."""
    nodes = list(ast.walk(tree))
    own = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    own |= {node.target.id for node in nodes if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}
    own |= {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }
    for node in nodes:
        named = node.attr if isinstance(node, ast.Attribute) else node.value if isinstance(node, ast.Constant) else ""
        if isinstance(named, str) and is_private(named) and named not in own:
            yield named


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name.isidentifier() and name not in {"_", "_exit"}
