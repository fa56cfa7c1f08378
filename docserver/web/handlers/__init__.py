"""One module per noun of the API; a handler parses, calls one verb of a lower layer, and shapes the answer."""
