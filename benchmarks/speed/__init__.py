"""Time of a training step, a translation and the input pipeline, beside PyTorch and plain Keras."""
