"""MySQL and MariaDB: the connection pool, the migrations, and all SQL of the service in `tables/`."""
