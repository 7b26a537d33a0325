"""Says what this machine offers a training, and whether it is used."""
