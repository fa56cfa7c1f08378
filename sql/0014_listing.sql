-- What lists of documents are narrowed and ordered by, in the rows of jobs, so that one index has it all. Maintenance fills
-- it in for jobs of earlier releases. Every statement can be run again. MySQL has neither ADD COLUMN IF NOT EXISTS nor CREATE
-- INDEX IF NOT EXISTS.

SET @change = (
    SELECT IF(COUNT(*) = 0, "
        ALTER TABLE jobs
        ADD COLUMN content_type VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NULL, -- of the document; NULL: not filled in yet
        ADD COLUMN listed_at    DATETIME(6) NULL,                                        -- when the document was created
        ALGORITHM = INSTANT",
        'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'jobs' AND column_name = 'listed_at'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

SET @change = (
    SELECT IF(COUNT(*) = 0, '
        ALTER TABLE jobs
        ADD INDEX by_listing (tenant, status, content_type, listed_at, document_id),
        LOCK = NONE',
        'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'jobs' AND index_name = 'by_listing'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;
