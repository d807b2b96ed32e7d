"""What the machine is: CPU and GPUs. Read in the pytest process; every field may be unknown."""
