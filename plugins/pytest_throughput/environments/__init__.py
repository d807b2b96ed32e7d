"""Environments that extend an installed Python by given requirements, for ``ab`` and ``bisect``; pip makes them."""
