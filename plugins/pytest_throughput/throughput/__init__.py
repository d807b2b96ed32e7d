"""Images per second: from samples to pytest-benchmark's JSON, and to the terminal."""
