"""Reads the results of statements from a connection of aiomysql, in less than half of the CPU time.

aiomysql waits twice for each packet, also for those that have arrived, and parses what describes the columns anew for
each result.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiomysql.connection import MAX_PACKET_LEN, MySQLResult
from pymysql.protocol import MysqlPacket

HEADER_BYTES = 4
"""Three bytes for the length of a packet, and one for its number."""

MAX_KEPT = 300
"""Most sets of columns whose descriptions are kept. There are some hundred statements, and what one computes may have
several types."""

NULL, FOLLOWED_BY = 251, {252: 2, 253: 3, 254: 8}
"""First bytes of values: NULL, and those that are followed by a length of so many bytes. Lower ones are a length."""


def arrived_packets(reader: Any, *, first: int, most: int) -> list[bytes]:
    """The next packets without their headers, as far as they have arrived in whole. The first has this number. What is
    out of order, or longer than one packet, is left to the caller.
    """
    buffer, place = reader._buffer, 0  # noqa: SLF001 - a StreamReader has no way to read without waiting
    packets: list[bytes] = []
    while len(packets) < most and len(buffer) >= place + HEADER_BYTES:
        begin = place + HEADER_BYTES
        size = buffer[place] | buffer[place + 1] << 8 | buffer[place + 2] << 16
        is_next = buffer[place + 3] == (first + len(packets)) % 256
        if not is_next or size >= MAX_PACKET_LEN or len(buffer) < begin + size:
            break
        place = begin + size
        packets.append(bytes(buffer[begin:place]))
    if packets:
        del buffer[:place]
        reader._maybe_resume_transport()  # noqa: SLF001 - as each method that reads from the buffer does
    return packets


@dataclass(frozen=True, slots=True)
class _Columns:
    """What the packets that describe the columns of a result say."""

    fields: Sequence[Any]
    converters: Sequence[Any]
    description: Sequence[Any]
    names: Sequence[str]


_kept: dict[tuple[Any, ...], _Columns] = {}
"""The same packets come with each result of a statement."""


class Result(MySQLResult):  # type: ignore[misc]
    """The result of a statement."""

    connection: Any
    rows: Sequence[tuple[Any, ...]] | None
    fields: Sequence[Any]
    converters: Sequence[Any]
    description: Sequence[Any]

    async def _get_descriptions(self) -> None:
        connection = self.connection
        packets = connection.arrived_packets(self.field_count + 1)
        if len(packets) <= self.field_count:
            for packet in packets:
                _raise_error(MysqlPacket(packet, connection.encoding))
        while len(packets) <= self.field_count:
            packets.append((await connection._read_packet()).get_all_data())  # noqa: SLF001 - as aiomysql does here
        key = (connection.encoding, *packets)
        columns = _kept.get(key)
        if columns is None:
            self.connection = _Replayed(connection, packets)
            try:
                await super()._get_descriptions()
            finally:
                self.connection = connection
            columns = _Columns(self.fields, self.converters, self.description, _names(self.fields))
            if len(_kept) >= MAX_KEPT:
                _kept.clear()
            _kept[key] = columns
        self.fields, self.converters, self.description = columns.fields, columns.converters, columns.description
        self._names = columns.names

    def dicts(self) -> list[dict[str, Any]]:
        """The rows, if there are any. Of columns with one name, the later ones have that of their table before it."""
        return [dict(zip(self._names, row, strict=True)) for row in self.rows or ()]

    def _read_row_from_packet(self, packet: MysqlPacket) -> tuple[Any, ...]:
        data: bytes = packet.get_all_data()  # type: ignore[no-untyped-call]
        place = 0
        row: list[Any] = []
        for encoding, converter in self.converters:
            length = data[place]
            place += 1
            if length == NULL:
                row.append(None)
                continue
            if size := FOLLOWED_BY.get(length):
                length = int.from_bytes(data[place : place + size], "little")
                place += size
            value: Any = data[place : place + length]
            place += length
            if encoding is not None:
                value = value.decode(encoding)
            row.append(value if converter is None else converter(value))
        return tuple(row)


def _names(fields: Sequence[Any]) -> list[str]:
    names: list[str] = []
    for field in fields:
        names.append(f"{field.table_name}.{field.name}" if field.name in names else field.name)
    return names


def _raise_error(packet: MysqlPacket) -> None:
    if packet.is_error_packet():
        packet.raise_for_error()


class _Replayed:
    """A connection that has these packets."""

    def __init__(self, connection: Any, packets: Sequence[bytes]) -> None:
        self.use_unicode, self.encoding, self.decoders = (
            connection.use_unicode,
            connection.encoding,
            connection.decoders,
        )
        self._packets = iter(packets)

    async def _read_packet(self, packet_type: type[MysqlPacket] = MysqlPacket) -> MysqlPacket:
        return packet_type(next(self._packets), self.encoding)
