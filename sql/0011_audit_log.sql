-- Who did what to keys, tenants and documents, and what the deletion of a tenant has removed. Every statement can be run
-- again.

CREATE TABLE IF NOT EXISTS audit_log (
    id      BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    at      DATETIME(6)     NOT NULL,
    actor   VARCHAR(100)    NOT NULL,             -- `key:` and an id, an address, or `command line`
    action  VARCHAR(40)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    tenant  VARCHAR(63)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL, -- whose key or document it is
    subject VARCHAR(100)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL, -- the id of the key or document, or the tenant
    details JSON            NOT NULL,
    PRIMARY KEY (id),
    KEY by_tenant (tenant, id),
    KEY by_time (at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

CREATE TABLE IF NOT EXISTS tenant_deletions (
    tenant      VARCHAR(63)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    actor       VARCHAR(100)    NOT NULL,
    started_at  DATETIME(6)     NOT NULL,
    finished_at DATETIME(6)     NULL,                -- NULL while something is left
    documents   BIGINT UNSIGNED NOT NULL DEFAULT 0,  -- removed so far
    jobs        BIGINT UNSIGNED NOT NULL DEFAULT 0,
    pages       BIGINT UNSIGNED NOT NULL DEFAULT 0,
    bytes       BIGINT UNSIGNED NOT NULL DEFAULT 0,  -- of original files
    api_keys    BIGINT UNSIGNED NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant),
    KEY by_end (finished_at),
    CONSTRAINT deletion_has_tenant FOREIGN KEY (tenant) REFERENCES tenants (name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
