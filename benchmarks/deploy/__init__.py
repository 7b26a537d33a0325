"""Exported models at work: the .tflite files on this CPU, the server under load."""

import cyclegan_tf  # noqa: F401  sets TensorFlow's environment before anything imports it
