"""Child side: the entry point of an OCR process, and what it is asked to do with a document."""
