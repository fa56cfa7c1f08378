"""Redis: the connection, and what is kept there. Key names stand once, one file holds one Lua script."""
