"""docserver: documents go in over HTTP, their text comes out."""

__version__ = "0.1.0"
