"""What clients ask for: upload, list, cancel, retry and delete documents, and get their results."""
