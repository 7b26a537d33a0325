""".tflite files: a copy of the network for phones, conversion, metadata, parity."""
