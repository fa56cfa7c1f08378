-- Batches of files that were uploaded together, and what became of each file. Every statement can be run again.

CREATE TABLE IF NOT EXISTS batches (
    id          BINARY(16)  NOT NULL,
    tenant      VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    created_at  DATETIME(6) NOT NULL,
    accepted_at DATETIME(6) NULL,                -- when the last file was accepted or refused
    PRIMARY KEY (id),
    KEY by_tenant (tenant),
    KEY by_creation (created_at)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS batch_files (
    batch_id     BINARY(16)   NOT NULL,
    number       INT          NOT NULL,          -- counted from 1
    filename     VARCHAR(255) NOT NULL,
    job_id       BINARY(16)   NOT NULL,          -- of a job that may not be there yet, or was deleted
    deduplicated BOOLEAN      NOT NULL DEFAULT FALSE,
    status       SMALLINT     NULL,              -- of the problem, if the file was refused
    code         VARCHAR(40)  NULL,
    detail       VARCHAR(500) NULL,
    PRIMARY KEY (batch_id, number),
    CONSTRAINT file_has_batch FOREIGN KEY (batch_id) REFERENCES batches (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
