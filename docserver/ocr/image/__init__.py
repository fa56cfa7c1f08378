"""Child side: pictures decoded, analysed and made easier to read. Reads no text."""
