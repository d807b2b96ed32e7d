"""The code that runs in a worker process and measures a trial there. Python 3.9, standard library only."""
