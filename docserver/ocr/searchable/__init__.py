"""Child side: writes searchable PDFs: the pages of a document, with their words as invisible text."""
