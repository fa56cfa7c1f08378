"""Redis: the connection, and the data that is stored there. Each key name is defined once; one file per Lua script."""
