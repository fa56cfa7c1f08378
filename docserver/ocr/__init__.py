"""Recognition: `pool` and `engine` run in the server, all other modules in its OCR processes."""
