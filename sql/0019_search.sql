-- The index for full-text search, and which pages it has. Every statement can be run again. MySQL has neither ADD COLUMN IF
-- NOT EXISTS nor CREATE INDEX IF NOT EXISTS.

-- Set together with a job's version when pages of it were read. Processes of earlier releases do not set it; the indexer
-- finds their pages when it goes through all jobs.
SET @change = (
    SELECT IF(COUNT(*) = 0, 'ALTER TABLE jobs ADD COLUMN search_due BOOLEAN NULL, ALGORITHM = INSTANT', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'jobs' AND column_name = 'search_due'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

SET @change = (
    SELECT IF(COUNT(*) = 0, 'ALTER TABLE jobs ADD INDEX by_search (search_due), LOCK = NONE', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'jobs' AND index_name = 'by_search'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

CREATE TABLE IF NOT EXISTS search_index (
    number      INT           NOT NULL,          -- always 1
    generation  INT           NOT NULL,          -- grows with each rebuild; what has another one is removed
    is_complete BOOLEAN       NOT NULL,          -- false while the index is built
    walked_to   BINARY(16)    NOT NULL,          -- jobs up to this id were compared with the index
    jobs_total  BIGINT        NOT NULL,          -- jobs when the building began
    jobs_walked BIGINT        NOT NULL,          -- of these, jobs up to `walked_to`
    holder      BINARY(16)    NOT NULL,          -- the process that writes the index
    PRIMARY KEY (number)
) ENGINE = InnoDB;

INSERT IGNORE INTO search_index (number, generation, is_complete, walked_to, jobs_total, jobs_walked, holder)
VALUES (1, 1, FALSE, REPEAT(CHAR(0), 16), 0, 0, REPEAT(CHAR(0), 16));

-- How much of each job is in the index: all pages that were settled in versions up to this one, and in this version
-- those with numbers up to this one.
CREATE TABLE IF NOT EXISTS search_jobs (
    job_id     BINARY(16) NOT NULL,
    generation INT        NOT NULL,
    version    INT        NOT NULL,
    page       INT        NOT NULL,
    PRIMARY KEY (job_id)
) ENGINE = InnoDB;

-- The pages in the index. One that was read again since has another version, and is in it twice for a while.
CREATE TABLE IF NOT EXISTS search_pages (
    tenant  VARCHAR(63)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    number  INT UNSIGNED NOT NULL,               -- of the page in the index of its tenant, from 1
    job_id  BINARY(16)   NOT NULL,
    page    INT          NOT NULL,
    version INT          NOT NULL,               -- pages.settled_version
    PRIMARY KEY (tenant, number),
    KEY by_job (job_id)
) ENGINE = InnoDB;

-- A segment has the words of pages whose numbers follow one another. Several of them become one.
CREATE TABLE IF NOT EXISTS search_segments (
    id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    tenant       VARCHAR(63)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    generation   INT             NOT NULL,
    state        VARCHAR(10)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL, -- building, live or dead
    first_number INT UNSIGNED    NOT NULL,
    last_number  INT UNSIGNED    NOT NULL,
    pages        INT UNSIGNED    NOT NULL,
    has_keys     BOOLEAN         NOT NULL,       -- false if it is small, and has rows of words alone
    changed_at   DATETIME(6)     NOT NULL,       -- when its state changed
    PRIMARY KEY (id),
    KEY by_tenant (tenant, generation, state, first_number),
    KEY by_state (state, changed_at)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS search_chunks (
    segment BIGINT UNSIGNED NOT NULL,
    kind    TINYINT         NOT NULL,            -- see docserver.search.chunks.Kind
    first   VARBINARY(200)  NOT NULL,            -- the first entry in it
    data    MEDIUMBLOB      NOT NULL,
    PRIMARY KEY (segment, kind, first)
) ENGINE = InnoDB;
