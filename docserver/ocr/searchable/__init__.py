"""Child side: searchable PDFs: the words of a document laid invisibly over its pages."""
