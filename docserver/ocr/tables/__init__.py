"""Child side: finds tables from the places of words and ruled lines. Reads no picture and no PDF."""
