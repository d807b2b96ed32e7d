"""The commands of ``pytest-throughput``: a module each, with ``add(parsers)`` and ``run(arguments)``."""
