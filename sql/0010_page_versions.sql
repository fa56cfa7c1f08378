-- The version of the job at which each page was read or has failed, so that clients who follow a job get what they have
-- not got yet. Every statement can be run again. MySQL has neither ADD COLUMN IF NOT EXISTS nor CREATE INDEX IF NOT
-- EXISTS.

-- Pages from before this migration have version 0, and so come first.
SET @change = (
    SELECT IF(COUNT(*) = 0, '
        ALTER TABLE pages
        ADD COLUMN settled_version INT NOT NULL DEFAULT 0 AFTER finished_at,
        ADD INDEX by_settling (job_id, settled_version)',
        'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'pages' AND column_name = 'settled_version'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;
