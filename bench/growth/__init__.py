"""How the service grows: the cost of a page beside backlogs of all sizes, with several workers, and in a simulation.

Recognition is fake: a page takes a fixed time and no CPU. Claims, rows, Redis and saving are real.
"""
