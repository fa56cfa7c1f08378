-- What pages show beside their text, such as barcodes. The file can be run again; MySQL has no ADD COLUMN IF NOT EXISTS.

-- See elements.pack_elements. NULL where nobody has looked for any, as on all pages from before this migration.
SET @change = (
    SELECT IF(COUNT(*) = 0, 'ALTER TABLE pages ADD COLUMN elements MEDIUMBLOB NULL, ALGORITHM = INSTANT', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'pages' AND column_name = 'elements'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;
