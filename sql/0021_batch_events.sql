-- Whom to tell that a batch is completed, and which batches are. Every statement can be run again. MySQL has neither ADD COLUMN
-- IF NOT EXISTS nor CREATE INDEX IF NOT EXISTS.

-- Set when all jobs of a batch have ended, and its webhooks are recorded. A retry of a job empties it again.
SET @change = (
    SELECT IF(COUNT(*) = 0, 'ALTER TABLE batches ADD COLUMN completed_at DATETIME(6) NULL, ALGORITHM = INSTANT', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'batches' AND column_name = 'completed_at'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

SET @change = (
    SELECT IF(COUNT(*) = 0, 'ALTER TABLE batches ADD INDEX by_completion (completed_at, id), LOCK = NONE', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'batches' AND index_name = 'by_completion'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

-- A retry finds the batches of its job.
SET @change = (
    SELECT IF(COUNT(*) = 0, 'ALTER TABLE batch_files ADD INDEX by_job (job_id), LOCK = NONE', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'batch_files' AND index_name = 'by_job'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

-- The batch that named this callback. Then `job_id` is NULL and `events` has nothing but batch.completed.
SET @change = (
    SELECT IF(COUNT(*) = 0, 'ALTER TABLE webhook_endpoints ADD COLUMN batch_id BINARY(16) NULL, ALGORITHM = INSTANT', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'webhook_endpoints' AND column_name = 'batch_id'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

SET @change = (
    SELECT IF(COUNT(*) = 0, 'ALTER TABLE webhook_endpoints ADD INDEX by_batch (batch_id), LOCK = NONE', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'webhook_endpoints' AND index_name = 'by_batch'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

-- The webhooks of a tenant, without its callbacks.
SET @change = (
    SELECT IF(COUNT(*) = 0, 'ALTER TABLE webhook_endpoints ADD INDEX by_tenant_and_batch (tenant, job_id, batch_id), LOCK = NONE', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'webhook_endpoints' AND index_name = 'by_tenant_and_batch'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

-- The batch of which the delivery tells. Then `job_id` is NULL.
SET @change = (
    SELECT IF(COUNT(*) = 0, 'ALTER TABLE deliveries ADD COLUMN batch_id BINARY(16) NULL, ALGORITHM = INSTANT', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'deliveries' AND column_name = 'batch_id'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

SET @change = (
    SELECT IF(COUNT(*) = 0, 'ALTER TABLE deliveries ADD INDEX by_batch (batch_id, id), LOCK = NONE', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'deliveries' AND index_name = 'by_batch'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;
