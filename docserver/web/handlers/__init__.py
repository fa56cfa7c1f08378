"""The handlers, one module per resource of the API. A handler parses the request, calls one function, and answers."""
