"""Child side: why a part of a PDF cannot stay in a PDF/A as it is."""


class Unfit(Exception):
    """Something that PDF/A-2b does not allow, or that these checks do not know."""
