-- An index for lists narrowed by a part of a file name. Maintenance numbers the documents of each tenant in the order of their
-- creation, and records in which of them each run of one to three letters is. Every statement can be run again. MySQL has
-- neither ADD COLUMN IF NOT EXISTS nor CREATE INDEX IF NOT EXISTS.

SET @change = (
    SELECT IF(COUNT(*) = 0, 'ALTER TABLE documents ADD COLUMN name_number INT UNSIGNED NULL, ALGORITHM = INSTANT', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'documents' AND column_name = 'name_number'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

-- With all that a list is narrowed by, so that candidates are compared within the index.
SET @change = (
    SELECT IF(COUNT(*) = 0, '
        ALTER TABLE documents
        ADD INDEX by_name_number (tenant, name_number, filename, content_type, created_at),
        LOCK = NONE',
        'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'documents' AND index_name = 'by_name_number'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

-- Of the documents that have further names, which are few.
SET @change = (
    SELECT IF(COUNT(*) = 0, 'CREATE INDEX by_other_filenames ON documents (tenant, other_filenames(1)) LOCK = NONE', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'documents' AND index_name = 'by_other_filenames'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

CREATE TABLE IF NOT EXISTS name_parts (
    tenant    VARCHAR(63)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    block     INT UNSIGNED  NOT NULL,            -- of numbers of documents: see name_index.BLOCK
    part      VARBINARY(8)  NOT NULL,            -- one to three weights of letters in names, or a hash of a content type
    places    BLOB          NOT NULL,            -- of the documents of the block that have it: see name_index.pack
    PRIMARY KEY (tenant, block, part)
) ENGINE = InnoDB;
