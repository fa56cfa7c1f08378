"""Server side: the slots, which start, watch, kill and replace OCR processes. Nothing here decodes a document."""
