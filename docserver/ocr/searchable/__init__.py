"""Searchable PDFs: `maker` runs in the server, `entry` and all the rest in a process of its own that can be killed."""
