-- The languages that each page was read in. The file can be run again; MySQL has no ADD COLUMN IF NOT EXISTS.

SET @change = (
    SELECT IF(COUNT(*) = 0, 'ALTER TABLE pages ADD COLUMN languages VARCHAR(409) NULL AFTER source', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'pages' AND column_name = 'languages'
);
PREPARE change_pages FROM @change;
EXECUTE change_pages;
DEALLOCATE PREPARE change_pages;
