-- Tenants, their keys, and the tenant of each document, job and deleted document. What exists already belongs to the
-- tenant `default`. Every statement can be run again. MySQL has neither ADD COLUMN IF NOT EXISTS nor CREATE INDEX IF NOT
-- EXISTS.

CREATE TABLE IF NOT EXISTS tenants (
    name       VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    created_at DATETIME(6) NOT NULL,
    deleted_at DATETIME(6) NULL,                 -- from then on its keys are refused, and all it has is removed
    PRIMARY KEY (name)
) ENGINE = InnoDB;

INSERT IGNORE INTO tenants (name, created_at) VALUES ('default', UTC_TIMESTAMP(6));

CREATE TABLE IF NOT EXISTS api_keys (
    id         BINARY(16)   NOT NULL,
    tenant     VARCHAR(63)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    name       VARCHAR(100) NOT NULL,            -- what it is for, as its owner calls it
    prefix     CHAR(12)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL, -- the key's first characters, which are no secret
    sha256     BINARY(32)   NOT NULL,            -- of the whole key
    scopes     VARCHAR(40)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL, -- separated by commas
    created_at DATETIME(6)  NOT NULL,
    expires_at DATETIME(6)  NULL,
    revoked_at DATETIME(6)  NULL,
    PRIMARY KEY (id),
    UNIQUE KEY by_prefix (prefix),
    KEY by_tenant (tenant, created_at),
    CONSTRAINT key_has_tenant FOREIGN KEY (tenant) REFERENCES tenants (name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

SET @change = (
    SELECT IF(COUNT(*) = 0, "
        ALTER TABLE documents
        ADD COLUMN tenant VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'default' AFTER job_id,
        ADD INDEX by_tenant (tenant, created_at, id)",
        'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'documents' AND column_name = 'tenant'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

SET @change = (
    SELECT IF(COUNT(*) = 0, "
        ALTER TABLE jobs
        ADD COLUMN tenant VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'default' AFTER document_id,
        ADD INDEX by_tenant (tenant, status)",
        'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'jobs' AND column_name = 'tenant'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

SET @change = (
    SELECT IF(COUNT(*) = 0, "
        ALTER TABLE deleted_documents
        ADD COLUMN tenant VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'default' AFTER id",
        'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'deleted_documents' AND column_name = 'tenant'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;
