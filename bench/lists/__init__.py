"""Measures the list of documents with a thousand to a million of them: what each request costs, and how it grows."""
