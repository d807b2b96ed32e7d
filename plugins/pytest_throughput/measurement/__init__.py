"""How a step is timed. Runs inside workers: standard library only, Python 3.9, no pytest, no numpy."""
