"""Redis: the connections, and one module for each kind of stored data with its keys. Lua scripts are in `lua/`."""
