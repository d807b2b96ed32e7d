"""The child's side of workers: what measures one trial in a process of its own. Python 3.9, standard library."""
