-- How many webhooks and deliveries the deletion of a tenant has removed. It can be run again. MySQL has no ADD COLUMN
-- IF NOT EXISTS.

SET @change = (
    SELECT IF(COUNT(*) = 0, "
        ALTER TABLE tenant_deletions
        ADD COLUMN webhooks   BIGINT UNSIGNED NOT NULL DEFAULT 0, -- endpoints, with the callbacks of uploads
        ADD COLUMN deliveries BIGINT UNSIGNED NOT NULL DEFAULT 0",
        'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'tenant_deletions' AND column_name = 'webhooks'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;
