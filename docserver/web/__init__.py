"""The HTTP layer: turns requests into calls of the layers below, and their results into responses."""
