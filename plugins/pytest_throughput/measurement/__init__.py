"""The timing of steps and phases. This code runs inside workers: standard library only, Python 3.9."""
