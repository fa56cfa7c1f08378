"""Server side: the slots and their OCR processes, which are started, watched, killed and replaced. Decodes nothing."""
