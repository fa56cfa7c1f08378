"""Full-text search without input or output: tokens of pages, queries, the packed index, scores, hits and snippets."""
