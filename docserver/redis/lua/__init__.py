"""One Lua script per file. Its header documents KEYS, ARGV and the result."""
