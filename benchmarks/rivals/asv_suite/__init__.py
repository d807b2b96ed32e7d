"""A suite of asv."""
