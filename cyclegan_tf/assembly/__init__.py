"""What becomes of the config: networks and the model (`models`), images (`training_data`).

>>> from cyclegan_tf import assembly
>>> generator = assembly.build_generator(experiment, "xy")
"""

from cyclegan_tf.assembly.models import (
    build_averages,
    build_discriminator,
    build_generator,
    build_model,
    check_sizes,
    normalization_kinds,
)

__all__ = [
    "build_averages",
    "build_discriminator",
    "build_generator",
    "build_model",
    "check_sizes",
    "normalization_kinds",
]
