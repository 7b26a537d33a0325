"""Models from elsewhere, and back: the official PyTorch code, and Keras 2."""
