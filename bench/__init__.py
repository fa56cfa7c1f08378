"""Measures docserver against what users would run instead. Run `python -m bench` or a module in it at the top level."""
