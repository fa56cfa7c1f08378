"""The actions of clients: upload, list and delete documents, cancel and retry jobs, and get results."""
