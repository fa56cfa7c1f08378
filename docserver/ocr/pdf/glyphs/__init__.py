"""Child side: what letters and marks look like, in fonts, as paths and as pictures."""
