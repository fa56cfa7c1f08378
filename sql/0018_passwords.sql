-- The passwords of encrypted PDFs, while their jobs run. It can be run again. MySQL has no ADD COLUMN IF NOT EXISTS.

SET @change = (
    SELECT IF(COUNT(*) = 0, "
        ALTER TABLE jobs
        ADD COLUMN password VARBINARY(1000) NULL, -- encrypted; empty once the job has ended; NULL: none was ever given
        ALGORITHM = INSTANT",
        'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'jobs' AND column_name = 'password'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;
