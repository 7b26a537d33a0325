"""Hardware, several devices, and the inner workings of TensorFlow."""
