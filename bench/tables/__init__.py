"""How well tables are found: made tables as born-digital pages and as scans, and pages without any."""
