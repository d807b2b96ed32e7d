"""Worker processes: one case is opened, measured and buried in each.

``conduct``, ``protocol`` and ``worker`` run inside the worker (standard library, Python 3.9); the
other modules run in the pytest process.
"""
