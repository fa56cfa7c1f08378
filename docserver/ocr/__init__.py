"""Optical character recognition. `server` runs in the server; only OCR processes decode documents."""
