"""What full-text search costs, and how much of misread text it finds."""
