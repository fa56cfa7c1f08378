"""Child side: searchable PDFs: a document's pages with their words over them, invisible."""
