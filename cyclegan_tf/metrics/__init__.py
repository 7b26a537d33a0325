"""Image quality as numbers: pairs, sets, label maps. NumPy; `inception` alone needs TensorFlow."""
