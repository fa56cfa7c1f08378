"""Reads in the text of a migration what docs/migrations.md forbids."""

import re
from collections.abc import Iterator

_COMMENT = re.compile(r"--[^\n]*")
_NEEDED = re.compile(r"INSERT IGNORE INTO NEEDED_MIGRATIONS \(NUMBER\) VALUES \((\d+)\)")
_TAKEN_AWAY = re.compile(r"\b(DROP (TABLE|INDEX)|RENAME TABLE|TRUNCATE|CREATE UNIQUE INDEX)\b")
_LOCKS_ROWS = re.compile(r"\b(UPDATE \w|DELETE FROM|REPLACE INTO|INSERT (IGNORE )?INTO \w+ [^;]*\bSELECT\b)")
_REFERENCE = re.compile(r"\bREFERENCES (\w+) \(\w+\)(?! ON DELETE (?:CASCADE|SET NULL))")
_IS_ONLINE = re.compile(r"\b(ALGORITHM ?= ?INSTANT|LOCK ?= ?NONE)\b")
_HARMLESS = re.compile(
    r"(ADD (INDEX|KEY|FULLTEXT)\b"
    r"|(ADD|MODIFY) (?!(COLUMN )?(\(|(UNIQUE|CONSTRAINT|CHECK|PRIMARY|FOREIGN)\b))"
    r"(?!.*\bNOT NULL\b(?!.*\bDEFAULT\b)|.*\bUNIQUE\b)"
    r"|ALTER (COLUMN )?\w+ SET DEFAULT\b"
    r"|ALGORITHM\b|LOCK\b)"
)
"""A clause of ALTER TABLE after which statements that do not know of it succeed as before."""


def needed(sql: str) -> list[int]:
    """The migrations without which programs cannot use the database from this one on."""
    return [int(number) for number in _NEEDED.findall(_plain(sql))]


def taken_away(sql: str) -> list[str]:
    """What statements of the release before may fail for."""
    text = _plain(sql)
    parts = [match[0] for match in _TAKEN_AWAY.finditer(text)]
    parts += [match[0] for match in _REFERENCE.finditer(text) if f"CREATE TABLE IF NOT EXISTS {match[1]} " not in text]
    parts += [clause for change in _changes(text) for clause in _clauses(change) if not _HARMLESS.match(clause)]
    return parts


def locks_tables(sql: str) -> list[str]:
    """What may keep statements of the release before waiting while a table is rebuilt."""
    text = _plain(sql)
    indexes = re.findall(r"\bCREATE (?:UNIQUE )?INDEX [^;]*", text)
    return [change for change in (*_changes(text), *indexes) if not _IS_ONLINE.search(change)]


def locks_rows(sql: str) -> list[str]:
    """What keeps statements of the release before waiting that change the same rows."""
    return [match[0] for match in _LOCKS_ROWS.finditer(_NEEDED.sub("", _plain(sql)))]


def _plain(sql: str) -> str:
    """The statements in capitals, without comments, with one space between words."""
    return " ".join(_COMMENT.sub("", sql).replace("`", "").upper().split())


def _changes(text: str) -> Iterator[str]:
    """What each ALTER TABLE does. It may be in a string, for PREPARE."""
    for match in re.finditer(r"([\"']?) ?ALTER TABLE \w+ ", text):
        end = text.find(match[1] or ";", match.end())
        # Within a string, a doubled quote is a quote.
        while match[1] and text[end : end + 2] == match[1] * 2:
            end = text.find(match[1], end + 2)
        yield text[match.end() : end if end >= 0 else len(text)]


def _clauses(change: str) -> list[str]:
    """The parts between commas that are not in parentheses."""
    return [clause.strip() for clause in re.split(r",(?![^()]*\))", change)]
