"""Child side: decodes pictures, analyses them, and makes them easier to read. Recognises no text."""
