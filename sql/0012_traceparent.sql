-- The trace that each job is a part of, so that every worker continues it. It can be run again. MySQL has no ADD COLUMN
-- IF NOT EXISTS.

SET @change = (
    SELECT IF(COUNT(*) = 0, "
        ALTER TABLE jobs
        ADD COLUMN traceparent CHAR(55) CHARACTER SET ascii COLLATE ascii_bin NULL AFTER request_id",
        'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'jobs' AND column_name = 'traceparent'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;
