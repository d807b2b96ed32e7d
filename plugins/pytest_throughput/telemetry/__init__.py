"""What the machine is and does. The pytest process reads it; every field may be unknown."""
