"""Models from elsewhere, and back: the authors' PyTorch code, and Keras 2 with
tensorflow-addons."""
