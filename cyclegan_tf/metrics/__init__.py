"""How good images are, as numbers: pairs, sets, label maps, spectra. NumPy; `inception` alone needs
TensorFlow."""
