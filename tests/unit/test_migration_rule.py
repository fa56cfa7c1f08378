"""New migrations and stored values let the previous release go on: docs/migrations.md has the rule."""

import ast
from pathlib import Path

import pytest

from tests.support import previous_release
from tests.support.migration_rule import locks_rows, locks_tables, needed, taken_away

ROOT = Path(__file__).parents[2]

STORED = {
    "model": {"Status", "PageStatus", "Source"},
    "job_history": {"Step", "Outcome"},
    "errors": {"DocumentErrorCode"},
    "reading_options": {"Mode", "Rotate"},
    "webhook_types": {"EventType", "DeliveryStatus", "Fault", "DisabledReason"},
    "caller": {"Scope"},
}
"""The modules and their enumerations whose values are in the database."""

NOT_WRITTEN_YET: set[str] = set()
"""Values that the previous release does not know, and that nothing writes before the next release."""

LOCKS_FEW_ROWS: dict[str, str] = {}
"""Migrations that change rows, each with the reason why these are few and not in use."""

NEW = {
    path.name: path.read_text()
    for path in sorted((ROOT / "sql").glob("*.sql"))
    if path.name not in previous_release.migrations()
}


def number(name: str) -> int:
    return int(name[:4])


@pytest.mark.parametrize("name", previous_release.migrations())
def test_a_released_migration_is_as_it_was(name: str) -> None:
    assert (ROOT / "sql" / name).read_text() == previous_release.migrations()[name]


def test_new_migrations_keep_nobody_waiting() -> None:
    assert {name: locks_tables(sql) for name, sql in NEW.items() if locks_tables(sql)} == {}
    assert {name: locks_rows(sql) for name, sql in NEW.items() if locks_rows(sql) and name not in LOCKS_FEW_ROWS} == {}


def test_new_migrations_take_nothing_away_that_the_previous_release_uses() -> None:
    released = {number(name) for name in previous_release.migrations()}

    assert {
        name: taken_away(sql)
        for name, sql in NEW.items()
        if taken_away(sql) and not (needed(sql) and released.issuperset(needed(sql)))
    } == {}


def test_the_previous_release_reads_each_value_that_is_stored() -> None:
    for module, names in STORED.items():
        path = f"docserver/{module}.py"
        present, previous = values((ROOT / path).read_text()), values(previous_release.read(path))
        assert names <= present.keys(), module
        assert {name: present[name] - previous[name] - NOT_WRITTEN_YET for name in names} == {
            name: set() for name in names
        }


def values(source: str) -> dict[str, set[str]]:
    """The values of each enumeration of a module."""
    return {
        definition.name: {
            str(statement.value.value)
            for statement in definition.body
            if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        }
        for definition in ast.parse(source).body
        if isinstance(definition, ast.ClassDef)
    }


ONLINE = ", ALGORITHM = INSTANT"


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE IF NOT EXISTS shelves (id INT NOT NULL, PRIMARY KEY (id), UNIQUE KEY by_name (name))",
        f"ALTER TABLE pages ADD COLUMN ink DOUBLE NULL AFTER text{ONLINE}",
        f"ALTER TABLE pages ADD ink DECIMAL(10, 2){ONLINE}",
        f"ALTER TABLE pages ADD COLUMN ink DOUBLE NOT NULL DEFAULT 0, ADD INDEX by_ink (job_id, ink){ONLINE}",
        f"ALTER TABLE pages MODIFY COLUMN text MEDIUMTEXT NULL{ONLINE}",
        "CREATE INDEX by_ink ON pages (ink) LOCK = NONE",
        "SET @a = (SELECT IF(n = 0, \"ALTER TABLE a ADD b CHAR(5) NOT NULL DEFAULT '', LOCK = NONE\", 'DO 0') FROM c)",
        "INSERT IGNORE INTO tenants (name, created_at) VALUES ('default', UTC_TIMESTAMP(6))",
        "-- DROP TABLE pages;\nDO 0",
        "CREATE TABLE notes (page INT, CONSTRAINT a FOREIGN KEY (page) REFERENCES pages (id) ON DELETE CASCADE)",
    ],
)
def test_what_only_adds_is_allowed(sql: str) -> None:
    assert (taken_away(sql), locks_tables(sql), locks_rows(sql)) == ([], [], [])


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE pages",
        "DROP TABLE IF EXISTS pages",
        "RENAME TABLE pages TO leaves",
        "TRUNCATE pages",
        f"ALTER TABLE pages DROP COLUMN text{ONLINE}",
        f"ALTER TABLE pages DROP text{ONLINE}",
        f"ALTER TABLE pages ADD ink INT NULL, DROP COLUMN text{ONLINE}",
        f"ALTER TABLE pages RENAME COLUMN text TO words{ONLINE}",
        f"ALTER TABLE pages RENAME TO leaves{ONLINE}",
        f"ALTER TABLE pages CHANGE text words MEDIUMTEXT NULL{ONLINE}",
        f"ALTER TABLE pages MODIFY COLUMN text MEDIUMTEXT NOT NULL{ONLINE}",
        f"ALTER TABLE pages ADD COLUMN ink DOUBLE NOT NULL{ONLINE}",
        f"ALTER TABLE pages\n  ADD a INT NOT NULL DEFAULT 0,\n  ADD COLUMN ink DECIMAL(10, 2)\n  NOT NULL{ONLINE}",
        f"ALTER TABLE pages ADD COLUMN (a INT DEFAULT 0, b INT NOT NULL, c INT DEFAULT 0){ONLINE}",
        f"alter table `pages` drop column `text`{ONLINE}",
        f"ALTER TABLE pages ADD COLUMN ink INT NULL UNIQUE{ONLINE}",
        f"ALTER TABLE pages ADD UNIQUE KEY by_ink (ink){ONLINE}",
        f"ALTER TABLE pages ADD CONSTRAINT ink CHECK (ink > 0){ONLINE}",
        f"ALTER TABLE pages ADD PRIMARY KEY (ink){ONLINE}",
        f"ALTER TABLE pages ALTER COLUMN tries DROP DEFAULT{ONLINE}",
        "CREATE UNIQUE INDEX by_ink ON pages (ink) LOCK = NONE",
        "CREATE TABLE IF NOT EXISTS notes (page INT, CONSTRAINT a FOREIGN KEY (page) REFERENCES pages (id))",
        "SET @a = (SELECT IF(n = 0, 'DO 0', 'ALTER TABLE jobs DROP COLUMN history, LOCK = NONE') FROM c)",
        "SET @a = (SELECT IF(n = 0, \"ALTER TABLE jobs ADD COLUMN a INT NOT NULL, LOCK = NONE\", 'DO 0') FROM c)",
        "SET @a = 'ALTER TABLE jobs ADD a CHAR(1) DEFAULT ''a'', DROP COLUMN history, LOCK = NONE'",
    ],
)
def test_what_takes_something_away_is_told(sql: str) -> None:
    assert taken_away(sql)
    assert (locks_tables(sql), locks_rows(sql)) == ([], [])


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE pages ADD COLUMN ink DOUBLE NULL",
        "CREATE INDEX by_ink ON pages (ink)",
        "SET @a = (SELECT IF(n = 0, 'ALTER TABLE pages ADD ink INT NULL', 'DO 0') FROM c)",
    ],
)
def test_what_locks_a_table_is_told(sql: str) -> None:
    assert locks_tables(sql)
    assert (taken_away(sql), locks_rows(sql)) == ([], [])


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE pages SET ink = 1",
        "DELETE FROM bytes_kept",
        "INSERT INTO shelves (name) SELECT name FROM documents",
    ],
)
def test_what_locks_rows_is_told(sql: str) -> None:
    assert locks_rows(sql)
    assert (taken_away(sql), locks_tables(sql)) == ([], [])


def test_what_contracts_names_the_migration_that_has_to_be_known() -> None:
    contraction = "INSERT IGNORE INTO needed_migrations (number)\nVALUES (16);\nDROP TABLE pages;"

    assert needed(contraction) == [16]
    assert locks_rows(contraction) == []
    assert needed("-- INSERT IGNORE INTO needed_migrations (number) VALUES (16);\nDROP TABLE pages;") == []
