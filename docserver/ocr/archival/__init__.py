"""Child side: makes PDFs conform to PDF/A-2b (ISO 19005-2): finds the pages that can stay, and mends the document."""
