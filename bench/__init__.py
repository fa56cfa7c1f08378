"""Measurements against what users would run instead, in paired rounds; `python -m bench.<name>` from the top level."""
