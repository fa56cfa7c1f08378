"""Child side: from a page's picture to its text, by Tesseract."""
