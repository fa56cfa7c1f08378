"""Child side: compares a PDF page's own words with what is drawn, and finds what they lack."""
