-- Webhooks: who is told of events, what is to be sent, and each try to send it.
-- Every statement can be run again.

CREATE TABLE IF NOT EXISTS webhook_endpoints (
    id              BINARY(16)     NOT NULL,
    tenant          VARCHAR(63)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    job_id          BINARY(16)     NULL,         -- the job whose upload named this callback; NULL: for all jobs of the tenant
    url             VARCHAR(2000)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    receiver        BINARY(16)     NOT NULL,     -- hash of tenant, scheme, host and port
    events          VARCHAR(200)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL, -- separated by commas
    secret          VARBINARY(400) NOT NULL,     -- encrypted
    previous_secret VARBINARY(400) NULL,         -- encrypted; signs too until `previous_until`
    previous_until  DATETIME(6)    NULL,
    failing_since   DATETIME(6)    NULL,         -- the first of the tries that failed since the last success
    disabled_at     DATETIME(6)    NULL,
    disabled_reason VARCHAR(20)    CHARACTER SET ascii COLLATE ascii_bin NULL,
    created_at      DATETIME(6)    NOT NULL,
    PRIMARY KEY (id),
    KEY by_tenant (tenant, job_id),
    KEY by_job (job_id),
    CONSTRAINT endpoint_has_job FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS deliveries (
    id          BINARY(16)  NOT NULL,            -- the webhook-id
    endpoint_id BINARY(16)  NOT NULL,
    tenant      VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    receiver    BINARY(16)  NOT NULL,            -- as in the endpoint
    job_id      BINARY(16)  NULL,                -- NULL: a test
    event       VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    body        MEDIUMBLOB  NOT NULL,            -- as it is sent each time
    status      VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'pending',
    tries       INT         NOT NULL DEFAULT 0,  -- since its creation or the last replay
    run_after   DATETIME(6) NOT NULL,            -- of a claimed one: the end of its lease
    claim       BINARY(16)  NULL,                -- who sends it
    created_at  DATETIME(6) NOT NULL,
    finished_at DATETIME(6) NULL,
    PRIMARY KEY (id),
    KEY by_receiver (status, tenant, receiver, run_after),
    KEY by_endpoint (endpoint_id, id),
    KEY by_job (job_id, id),
    KEY by_claim (claim),
    KEY by_end (finished_at),
    CONSTRAINT delivery_has_endpoint FOREIGN KEY (endpoint_id) REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    CONSTRAINT delivery_has_job FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE,
    CONSTRAINT delivery_status CHECK (status IN ('pending', 'delivered', 'failed'))
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS delivery_attempts (
    delivery_id BINARY(16)  NOT NULL,
    number      INT         NOT NULL,            -- counted from 1
    ended_at    DATETIME(6) NOT NULL,
    duration_ms INT         NOT NULL,
    http_status SMALLINT    NULL,                -- NULL: no answer
    fault       VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NULL, -- why there is no answer: see webhooks.model.Fault
    PRIMARY KEY (delivery_id, number),
    CONSTRAINT attempt_has_delivery FOREIGN KEY (delivery_id) REFERENCES deliveries (id) ON DELETE CASCADE
) ENGINE = InnoDB;
