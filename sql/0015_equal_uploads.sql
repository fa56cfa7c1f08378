-- The latest job for each content that clients upload, so that equal files which arrive at the same time become one document:
-- of several transactions, the key lets one insert its row, and the others wait for it. It can be run again.

CREATE TABLE IF NOT EXISTS equal_uploads (
    content BINARY(32) NOT NULL,                 -- hash of client, bytes and options
    job_id  BINARY(16) NOT NULL,
    PRIMARY KEY (content),
    KEY by_job (job_id),
    CONSTRAINT equal_upload_has_job FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE
) ENGINE = InnoDB;
