-- The names of further uploads of a document's bytes. The file can be run again; MySQL has no ADD COLUMN IF NOT EXISTS.
-- The names are in the document's row and not in a table of their own, so that the list of documents, which is searched
-- by name, needs no join.

SET @change = (
    SELECT IF(COUNT(*) = 0, 'ALTER TABLE documents ADD COLUMN other_filenames TEXT NULL AFTER filename', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'documents' AND column_name = 'other_filenames'
);
PREPARE change_documents FROM @change;
EXECUTE change_documents;
DEALLOCATE PREPARE change_documents;
