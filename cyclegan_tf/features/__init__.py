"""Networks of others whose activations describe images: `loading.load`."""
