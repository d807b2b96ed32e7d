"""Charts of results: their data, and how they are drawn as SVG."""
