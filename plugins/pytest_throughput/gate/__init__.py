"""Did it get worse? Baselines, the model of noise, verdicts."""
