"""CycleGAN in TensorFlow and Keras 3: train, resume, watch and translate."""
