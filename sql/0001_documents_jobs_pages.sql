-- Documents, their jobs, the pages of the jobs, deleted documents, and the leader of maintenance.
-- Every statement can be run again, so an interrupted migration is simply repeated.

CREATE TABLE IF NOT EXISTS documents (
    id           BINARY(16)   NOT NULL,
    job_id       BINARY(16)   NOT NULL,          -- the latest job
    filename     VARCHAR(255) NOT NULL,          -- for display, never a path
    content_type VARCHAR(100) NOT NULL,          -- detected from the content
    size         BIGINT       NOT NULL,          -- bytes
    sha256       BINARY(32)   NOT NULL,
    client       VARCHAR(64)  NOT NULL,          -- who uploaded it, as the rate limiter identifies clients
    created_at   DATETIME(6)  NOT NULL,
    expires_at   DATETIME(6)  NULL,              -- when it is removed
    PRIMARY KEY (id),
    KEY by_creation (created_at, id),
    KEY by_content (client, sha256),
    KEY by_expiry (expires_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

CREATE TABLE IF NOT EXISTS jobs (
    id            BINARY(16)   NOT NULL,
    document_id   BINARY(16)   NOT NULL,
    status        VARCHAR(10)  NOT NULL,
    version       INT          NOT NULL,         -- grows with every change
    options       JSON         NOT NULL,
    request_id    VARCHAR(128) NOT NULL,         -- of the request that made the job, for the logs
    pages_total   INT          NULL,             -- unknown until the document is opened
    pages_done    INT          NOT NULL DEFAULT 0,
    pages_failed  INT          NOT NULL DEFAULT 0,
    pages_kept    INT          NOT NULL DEFAULT 0, -- read or failed in earlier attempts, and not read again
    eta_s         DOUBLE       NULL,
    attempt       INT          NOT NULL DEFAULT 1,
    claim         BINARY(16)   NULL,             -- who opens the document
    lease_until   DATETIME(6)  NULL,
    tries         INT          NOT NULL DEFAULT 0, -- times that opening ran out of time or memory, or crashed
    losses        INT          NOT NULL DEFAULT 0, -- leases that ran out while opening
    claimed_at    DATETIME(6)  NULL,
    history       JSON         NOT NULL,         -- moved to job_history by migration 3
    run_after     DATETIME(6)  NOT NULL,
    engine        JSON         NULL,
    confidence    DOUBLE       NULL,             -- mean of the pages with a text, once completed
    needs_review  JSON         NULL,             -- the first pages with low confidence, once completed
    error_code    VARCHAR(40)  NULL,
    error_message VARCHAR(500) NULL,
    error_page    INT          NULL,
    created_at    DATETIME(6)  NOT NULL,
    started_at    DATETIME(6)  NULL,
    finished_at   DATETIME(6)  NULL,
    PRIMARY KEY (id),
    KEY by_document (document_id, created_at),
    KEY by_status (status, run_after),
    KEY by_claim (claim),
    KEY by_lease (lease_until),
    CONSTRAINT job_has_document FOREIGN KEY (document_id) REFERENCES documents (id) ON DELETE CASCADE,
    CONSTRAINT job_status CHECK (status IN ('pending', 'processing', 'completed', 'failed', 'cancelled'))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

CREATE TABLE IF NOT EXISTS pages (
    job_id        BINARY(16)   NOT NULL,
    number        INT          NOT NULL,         -- counted from 1
    status        VARCHAR(10)  NOT NULL DEFAULT 'pending',
    claim         BINARY(16)   NULL,             -- who reads the page
    lease_until   DATETIME(6)  NULL,
    tries         INT          NOT NULL DEFAULT 0,
    losses        INT          NOT NULL DEFAULT 0,
    claimed_at    DATETIME(6)  NULL,
    run_after     DATETIME(6)  NOT NULL,
    width         INT          NULL,             -- pixels, of the page as a viewer shows it
    height        INT          NULL,
    dpi           INT          NULL,
    rotation      INT          NULL,             -- degrees clockwise that turn its text upright
    source        VARCHAR(10)  NULL,             -- ocr or text_layer
    confidence    DOUBLE       NULL,             -- 0 to 100
    needs_review  BOOLEAN      NULL,             -- low confidence, or marks but no text
    text          MEDIUMTEXT   NULL,
    layout        MEDIUMBLOB   NULL,             -- blocks, paragraphs, lines, words: see layout.pack_blocks
    error_code    VARCHAR(40)  NULL,
    error_message VARCHAR(500) NULL,
    finished_at   DATETIME(6)  NULL,
    PRIMARY KEY (job_id, number),
    KEY by_claim (claim),
    KEY by_lease (lease_until),
    CONSTRAINT page_has_job FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE,
    CONSTRAINT page_status CHECK (status IN ('pending', 'done', 'failed'))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

CREATE TABLE IF NOT EXISTS deleted_documents (
    id         BINARY(16)  NOT NULL,
    deleted_at DATETIME(6) NOT NULL,
    job_ids    JSON        NOT NULL,               -- jobs that may still be cached or announced
    cleared    BOOLEAN     NOT NULL DEFAULT FALSE, -- true once its file and cached jobs are removed
    PRIMARY KEY (id),
    KEY by_deletion (cleared, deleted_at)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS chores (
    name        VARCHAR(40) NOT NULL,
    holder      BINARY(16)  NOT NULL,              -- the process that does it for all
    lease_until DATETIME(6) NOT NULL,
    PRIMARY KEY (name)
) ENGINE = InnoDB;
