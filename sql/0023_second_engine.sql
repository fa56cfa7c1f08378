-- Which words of a page the second engine has read. It can be run again. MySQL has no ADD COLUMN IF NOT EXISTS.

SET @change = (
    SELECT IF(COUNT(*) = 0, "
        ALTER TABLE pages
        ADD COLUMN second_engine BLOB NULL, ALGORITHM = INSTANT",
        'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'pages' AND column_name = 'second_engine'
);
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;
