"""`python -m cyclegan_tf`: lists the commands."""

import sys

COMMANDS = {
    "train": "trains CycleGAN; without arguments, on the built-in demo",
    "evaluate": "scores a trained generator beside baselines, with a report",
    "translate": "translates an image, a folder or a video",
    "translate_beam": "translates millions of images with Apache Beam",
    "check": "looks through a data set and says what would harm a training",
    "export": "writes SavedModel, .tflite, ONNX and a web page, each verified",
    "serve": "serves exported models by TF Serving's protocol, with a page",
    "convert": "opens models of PyTorch and Keras 2, and writes ours for PyTorch",
    "inspect": "says what a run, model file or export is",
}


def main() -> None:
    """Prints one line per command."""
    print("usage: python -m cyclegan_tf.COMMAND [--help]\n")
    for name, what in COMMANDS.items():
        print(f"  {name:<16}{what}")


if __name__ == "__main__":
    main()
    sys.exit(0 if len(sys.argv) == 1 or sys.argv[1] in ("-h", "--help") else 2)
