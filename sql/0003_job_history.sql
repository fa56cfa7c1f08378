-- The history of jobs moves from JSON in `jobs` into a table of its own. The columns for lost leases and the table of
-- leaders get clearer names.
-- Every statement can be run again. MySQL has neither DROP COLUMN IF EXISTS nor RENAME COLUMN IF EXISTS, so each change
-- of a column first checks whether it is still to be made.

CREATE TABLE IF NOT EXISTS job_history (
    job_id     BINARY(16)  NOT NULL,
    number     INT         NOT NULL,             -- position of the step in the job's history, from 1
    attempt    INT         NOT NULL,
    step       VARCHAR(10) NOT NULL,             -- job, opening or page: see model.Step
    page       INT         NULL,                 -- the page's number, if the step is a page
    outcome    VARCHAR(10) NOT NULL,             -- see model.Outcome
    code       VARCHAR(40) NULL,                 -- why the step failed: see errors.DocumentErrorCode
    started_at DATETIME(6) NULL,                 -- NULL for a job that was cancelled before it started
    ended_at   DATETIME(6) NOT NULL,
    PRIMARY KEY (job_id, number),
    CONSTRAINT history_has_job FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

SET @change = (
    SELECT IF(COUNT(*) = 0, 'DO 0', "
        REPLACE INTO job_history (job_id, number, attempt, step, page, outcome, code, started_at, ended_at)
        SELECT j.id, h.number, h.attempt, h.step, h.page, h.outcome, h.code,
               STR_TO_DATE(h.started_at, '%Y-%m-%dT%H:%i:%s.%fZ'), STR_TO_DATE(h.ended_at, '%Y-%m-%dT%H:%i:%s.%fZ')
        FROM jobs j, JSON_TABLE(j.history, '$[*]' COLUMNS (
            number     FOR ORDINALITY,
            attempt    INT         PATH '$.attempt',
            step       VARCHAR(10) PATH '$.step',
            page       INT         PATH '$.page',
            outcome    VARCHAR(10) PATH '$.outcome',
            code       VARCHAR(40) PATH '$.code',
            started_at VARCHAR(30) PATH '$.started_at',
            ended_at   VARCHAR(30) PATH '$.ended_at'
        )) h")
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'jobs' AND column_name = 'history'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

SET @change = (
    SELECT IF(COUNT(*) = 0, 'DO 0', 'ALTER TABLE jobs DROP COLUMN history')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'jobs' AND column_name = 'history'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

SET @change = (
    SELECT IF(COUNT(*) = 0, 'DO 0', 'ALTER TABLE jobs RENAME COLUMN losses TO lost_leases')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'jobs' AND column_name = 'losses'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

SET @change = (
    SELECT IF(COUNT(*) = 0, 'DO 0', 'ALTER TABLE pages RENAME COLUMN losses TO lost_leases')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'pages' AND column_name = 'losses'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

-- A leader's lease lasts seconds and is taken again at once, so its rows need not be moved.
CREATE TABLE IF NOT EXISTS leaders (
    task        VARCHAR(40) NOT NULL,
    holder      BINARY(16)  NOT NULL,            -- the process that does the task for all
    lease_until DATETIME(6) NOT NULL,
    PRIMARY KEY (task)
) ENGINE = InnoDB;

DROP TABLE IF EXISTS chores;
