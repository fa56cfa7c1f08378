-- The migrations that a version has to know to work with this database. A migration that takes away what earlier versions
-- use inserts one here first: see docs/migrations.md.

CREATE TABLE IF NOT EXISTS needed_migrations (
    number INT NOT NULL,
    PRIMARY KEY (number)
) ENGINE = InnoDB;
