"""Recognition. `server` runs beside the API and the workers; all that decodes a document runs in an OCR process."""
