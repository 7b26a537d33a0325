"""Models of Keras 2: layers rebuilt from their description, weights from their files."""
