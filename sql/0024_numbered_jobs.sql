-- The number of a job's document in the index of names, so that lists by a part of a name and a status read only jobs with that
-- status. Maintenance fills it in. Every statement can be run again. MySQL has neither ADD COLUMN IF NOT EXISTS nor CREATE INDEX
-- IF NOT EXISTS.

SET @change = (
    SELECT IF(COUNT(*) = 0, 'ALTER TABLE jobs ADD COLUMN name_number INT UNSIGNED NULL, ALGORITHM = INSTANT', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'jobs' AND column_name = 'name_number'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

SET @change = (
    SELECT IF(COUNT(*) = 0, '
        ALTER TABLE jobs
        ADD INDEX by_name_number (tenant, status, name_number, listed_at, content_type),
        LOCK = NONE',
        'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'jobs' AND index_name = 'by_name_number'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;
