"""All tests, and the documents that they upload."""
