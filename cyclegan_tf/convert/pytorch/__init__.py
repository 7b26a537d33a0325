"""Checkpoints of the official PyTorch code, both directions."""
