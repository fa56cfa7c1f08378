"""HTTP: how requests become calls of the layers below, and what they answer as responses."""
