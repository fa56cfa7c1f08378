"""Child side: the entry points of an OCR process, and how it carries out requests on a document."""
