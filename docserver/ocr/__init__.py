"""Recognition: `pool` and `engine` run in the server, `child`, `images`, `pdf` and `tesseract` in its OCR processes."""
