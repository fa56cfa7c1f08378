"""Child side: recognises the text in a page's picture with Tesseract."""
