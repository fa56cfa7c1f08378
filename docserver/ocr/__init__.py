"""Recognition. `server` runs in the server; everything that decodes a document runs in OCR processes."""
