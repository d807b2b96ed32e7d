"""The parent's side of workers: start, feed, watch and end them."""
