-- The client of each job, so that slots serve clients in turn without Redis too.
-- Every statement can be run again. MySQL has neither ADD COLUMN IF NOT EXISTS nor CREATE INDEX IF NOT EXISTS.

SET @change = (
    SELECT IF(COUNT(*) = 0, "
        ALTER TABLE jobs
        ADD COLUMN client VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '' AFTER document_id",
        'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'jobs' AND column_name = 'client'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

UPDATE jobs j JOIN documents d ON d.id = j.document_id SET j.client = d.client WHERE j.client = '';

-- Within a status and a client, the index has the jobs in the order of their ids, so in the order of their creation.
SET @change = (
    SELECT IF(COUNT(*) = 0, 'ALTER TABLE jobs ADD INDEX by_client (status, client)', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'jobs' AND index_name = 'by_client'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

SET @change = (
    SELECT IF(COUNT(*) = 0, 'DO 0', 'ALTER TABLE jobs DROP INDEX by_status')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'jobs' AND index_name = 'by_status'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;
