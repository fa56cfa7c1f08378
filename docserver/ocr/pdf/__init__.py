"""Child side: draws PDF pages as images, and reads their text layers."""
