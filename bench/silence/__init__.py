"""Born-digital PDF pages of many tricks whose words are known, and how many of them are wrong in silence."""
