"""The sections of a report: each module has one function ``section``, which returns None where there are no data."""
