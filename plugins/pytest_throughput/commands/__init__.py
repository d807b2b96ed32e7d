"""The commands of ``pytest-throughput``, one module each, with ``add(parsers)`` and ``run(arguments)``."""
