"""Image quality as numbers: pairs, sets, label maps. NumPy only."""
