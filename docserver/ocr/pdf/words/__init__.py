"""Child side: the words of a PDF page's own text, and what of it is one word."""
