"""How steps and phases are timed. It runs inside workers: standard library only, Python 3.9."""
