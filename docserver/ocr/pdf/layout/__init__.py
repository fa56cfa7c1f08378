"""Child side: in which order the words of a PDF page are read: lines, columns, parts and margins."""
