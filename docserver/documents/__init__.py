"""What clients ask for: documents taken in, listed, cancelled, read again and deleted, and their results."""
