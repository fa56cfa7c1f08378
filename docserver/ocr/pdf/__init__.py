"""Child side: PDF pages, drawn as pictures or read by their own text."""
