"""The results of statements are read from packets as aiomysql reads them, and each set of columns is parsed once."""

import asyncio
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from aiomysql.connection import MySQLResult
from pymysql.constants import FIELD_TYPE
from pymysql.converters import decoders
from pymysql.err import OperationalError

from docserver.database import results
from docserver.database.driver import Connection
from docserver.database.results import arrived_packets

LONG_TEXT, LONGER_TEXT = "ä" * 200, "x" * 70_000


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "_kept", {})


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The columns whose descriptions are parsed from now on."""
    names: list[str] = []
    parse = MySQLResult._get_descriptions

    async def watched(self: Any) -> None:
        await parse(self)
        names.extend(field.name for field in self.fields)

    monkeypatch.setattr(MySQLResult, "_get_descriptions", watched)
    return names


def _text(value: bytes) -> bytes:
    """A value with its length before it."""
    size = len(value)
    if size < 251:
        return bytes([size]) + value
    return (b"\xfc" + struct.pack("<H", size) if size < 1 << 16 else b"\xfd" + struct.pack("<I", size)[:3]) + value


def _column(name: str, kind: int, charset: int = 45) -> bytes:
    names = b"".join(_text(part) for part in (b"def", b"db", b"t", b"t", name.encode(), name.encode()))
    return names + b"\x0c" + struct.pack("<HIBHBxx", charset, 100, kind, 0, 0)


EOF, ERROR = b"\xfe\x00\x00\x02\x00", b"\xff" + struct.pack("<H", 1317) + b"#70100interrupted"

COLUMNS = [
    _column("number", FIELD_TYPE.LONGLONG),
    _column("text", FIELD_TYPE.VAR_STRING),
    _column("data", FIELD_TYPE.BLOB, charset=63),
    _column("at", FIELD_TYPE.DATETIME),
]


def _stream(*packets: bytes) -> bytes:
    return b"".join(
        struct.pack("<I", len(packet))[:3] + bytes([number % 256]) + packet for number, packet in enumerate(packets, 1)
    )


def _result(*rows: bytes) -> bytes:
    return _stream(bytes([len(COLUMNS)]), *COLUMNS, EOF, *rows, EOF)


def _connection() -> Connection:
    """A connection that is as after the handshake, and reads from a stream that the test feeds."""
    connection = Connection(charset="utf8mb4")
    connection._reader, connection.decoders = asyncio.StreamReader(), dict(decoders)
    connection._next_seq_id = 1
    return connection


async def _read(connection: Connection, stream: bytes) -> Any:
    connection._next_seq_id = 1
    connection._reader.feed_data(stream)
    await connection._read_query_result()
    return connection._result


async def test_values_of_all_lengths_are_read() -> None:
    connection = _connection()
    rows = [
        _text(b"7") + _text(LONG_TEXT.encode()) + b"\xfb" + _text(b"2026-11-30 12:00:00"),
        b"\xfb" + _text(LONGER_TEXT.encode()) + _text(b"\xff\x00") + b"\xfb",
    ]

    result = await _read(connection, _result(*rows))

    assert [row[:3] for row in result.rows] == [(7, LONG_TEXT, None), (None, LONGER_TEXT, b"\xff\x00")]
    assert str(result.rows[0][3]) == "2026-11-30 12:00:00"
    assert [column[0] for column in result.description] == ["number", "text", "data", "at"]
    assert result.affected_rows == 2


async def test_the_columns_of_a_statement_are_parsed_once(parsed: list[str]) -> None:
    connection = _connection()
    row = _text(b"7") + b"\xfb\xfb\xfb"

    first, second = [(await _read(connection, _result(row))).rows for _ in range(2)]

    assert first == second == ((7, None, None, None),)
    assert parsed == ["number", "text", "data", "at"]


async def test_other_columns_are_not_taken_for_those_that_are_kept(parsed: list[str]) -> None:
    connection = _connection()
    await _read(connection, _result())

    other = await _read(connection, _stream(b"\x01", _column("number", FIELD_TYPE.VAR_STRING), EOF, _text(b"7"), EOF))

    assert other.rows == (("7",),)
    assert len(parsed) == 5


async def test_descriptions_are_not_kept_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MAX_KEPT", 3)
    connection = _connection()

    for number in range(10):
        await _read(connection, _stream(b"\x01", _column(f"column{number}", FIELD_TYPE.LONG), EOF, EOF))

    assert len(results._kept) <= 3


async def test_a_result_that_arrives_in_pieces_is_read(parsed: list[str]) -> None:
    connection = _connection()
    stream = _result(_text(b"7") + _text(b"seven") + b"\xfb\xfb")
    reading = asyncio.create_task(_read(connection, stream[:1]))

    for piece in _pieces(stream[1:], 7):
        await asyncio.sleep(0)
        connection._reader.feed_data(piece)

    assert (await reading).rows == ((7, "seven", None, None),)


async def test_an_error_among_the_columns_is_raised() -> None:
    connection = _connection()

    with pytest.raises(OperationalError, match="interrupted"):
        await _read(connection, _stream(bytes([len(COLUMNS)]), *COLUMNS[:2], ERROR))


async def test_a_packet_out_of_order_is_not_taken() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(_stream(b"one", b"two"))

    assert arrived_packets(reader, first=2, most=2) == []
    assert arrived_packets(reader, first=1, most=1) == [b"one"]
    assert arrived_packets(reader, first=2, most=5) == [b"two"]


async def test_a_lost_connection_is_reported_though_packets_have_arrived() -> None:
    connection = _connection()
    connection._reader.feed_data(_stream(b"\x01"))
    connection._reader.set_exception(ConnectionResetError())

    with pytest.raises(OperationalError):
        await connection._read_packet()


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[place : place + size] for place in range(0, len(data), size))
