"""Child side: PDF pages, drawn as images or read from their own text."""
