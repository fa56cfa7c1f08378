-- Which data directory belongs to this database: one row, which the first start inserts.

CREATE TABLE IF NOT EXISTS deployment (
    number             INT         NOT NULL,      -- always 1
    directory_identity BINARY(16)  NOT NULL,      -- as in the data directory's file identity/directory
    database_identity  BINARY(16)  NOT NULL,      -- as in the data directory's file identity/database
    created_at         DATETIME(6) NOT NULL,
    PRIMARY KEY (number)
) ENGINE = InnoDB;
