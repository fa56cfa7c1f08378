"""One Lua script a file, each one atomic act; its header says KEYS, ARGV and what it returns."""
