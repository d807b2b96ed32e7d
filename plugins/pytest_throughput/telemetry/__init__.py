"""The hardware of the machine, and its state during trials. The pytest process reads it; any field may be unknown."""
