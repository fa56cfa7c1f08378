-- The weight and the quotas of each tenant, the bytes that it keeps, and the pages that it has used on each day.
-- Every statement can be run again. MySQL has no ADD COLUMN IF NOT EXISTS.

SET @change = (
    SELECT IF(COUNT(*) = 0, "
        ALTER TABLE tenants
        ADD COLUMN weight              INT    NOT NULL DEFAULT 1, -- turns of slots in a row
        ADD COLUMN pages_per_day       BIGINT NULL,               -- this and the next three: NULL is the setting's default
        ADD COLUMN max_bytes           BIGINT NULL,
        ADD COLUMN max_unfinished_jobs BIGINT NULL,
        ADD COLUMN max_connections     BIGINT NULL",
        'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'tenants' AND column_name = 'weight'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

-- Each count is the sum of several rows, so that transactions that count at the same time need not wait for each other.

CREATE TABLE IF NOT EXISTS bytes_kept (
    tenant VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    part   SMALLINT NOT NULL,
    bytes  BIGINT   NOT NULL,                                     -- of files of documents; may be below 0 in one part
    PRIMARY KEY (tenant, part)
) ENGINE = InnoDB;

DELETE FROM bytes_kept;

INSERT INTO bytes_kept (tenant, part, bytes)
SELECT t.name, 0, COALESCE(SUM(d.size), 0) FROM tenants t LEFT JOIN documents d ON d.tenant = t.name GROUP BY t.name;

CREATE TABLE IF NOT EXISTS pages_used (
    tenant VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    day    DATE     NOT NULL,                                     -- UTC
    part   SMALLINT NOT NULL,
    pages  BIGINT   NOT NULL,
    PRIMARY KEY (tenant, day, part),
    KEY by_day (day)
) ENGINE = InnoDB;
