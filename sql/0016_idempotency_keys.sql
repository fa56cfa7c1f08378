-- The keys by which clients repeat requests, with the answers to the first of them. It can be run again.

CREATE TABLE IF NOT EXISTS idempotency_keys (
    id          BINARY(32)  NOT NULL,            -- hash of client and key
    tenant      VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    holder      BINARY(16)  NOT NULL,            -- the request that is carried out, or was
    lease_until DATETIME(6) NOT NULL,            -- without an answer, another request may be carried out from then on
    job_id      BINARY(16)  NOT NULL,            -- of the job that an upload makes, whichever of the requests does so
    payload     BINARY(32)  NULL,                -- hash of what is asked for; NULL while it is received
    answer      MEDIUMBLOB  NULL,                -- encrypted: an answer may have a secret
    expires_at  DATETIME(6) NOT NULL,
    PRIMARY KEY (id),
    KEY by_expiry (expires_at),
    KEY by_tenant (tenant)
) ENGINE = InnoDB;
