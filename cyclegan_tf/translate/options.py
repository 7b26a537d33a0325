"""What the command line of `translate` takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jsonargparse import Namespace

from cyclegan_tf import cli

if TYPE_CHECKING:
    from cyclegan_tf.images.codecs import Kept

_FORMER = {
    "--tile": "--tile_px",
    "--overlap": "--overlap_px",
    "--half_life_frames": "--temporal_half_life_frames",
}
_COMMON = ("--direction", "--size", "--checkpoint", "--overwrite", "--skip_existing")


def build_parser() -> cli.Parser:
    """Declare the command's options."""
    parser = cli.Parser(
        command="translate",
        most_used=_COMMON,
        example="runs/mine photos translated",
        description="Translates images of any size: each output has its input's size and name. An "
        "image that cannot be read is named and skipped, and the exit status is then 1. A video "
        "becomes a video, frame by frame; a volume (NIfTI, DICOM series, .mha, .nrrd) a volume, "
        "slice by slice.",
    )
    parser.add_argument("run", type=str, help="A run directory or a .keras file.")
    parser.add_argument(
        "input",
        type=str,
        help="An image, a folder (with all folders in it), a video, or a volume.",
    )
    parser.add_argument(
        "output",
        type=str,
        help="An image (PNG, JPEG, ... by its name), a folder, a video, or a volume.",
    )
    cli.add_direction_option(parser)
    cli.add_checkpoint_option(parser)
    cli.add_output_options(parser)
    parser.add_argument(
        "--skip_existing", action="store_true", help="Leave outputs that exist, do the rest."
    )
    parser.add_argument(
        "--size",
        type=str,
        default="auto",
        help="auto: the network sees images as large as in training, and results are brought back "
        "to the input's size with the input's detail. full: it sees every pixel. A number: as "
        "auto, at that many pixels.",
    )
    parser.add_argument(
        "--batch_size",
        type=int,
        default=0,
        help="Images of one size translated at once; 0 chooses by their size and the device.",
    )
    parser.add_argument(
        "--tile_px",
        type=int,
        default=0,
        help="With --size full (which it implies): side in pixels, say 512, of tiles, translated "
        "with the statistics of the whole image, so that no seams show. TIFF is then read and "
        "written by strips. 0: tiles only for images that do not fit the memory.",
    )
    parser.add_argument(
        "--overlap_px",
        type=int,
        default=64,
        help="Of neighboring tiles at least, in pixels; blended.",
    )
    parser.add_argument(
        "--statistics",
        type=str,
        choices=("whole", "local", "auto"),
        default="whole",
        help="What tiles are normalized by. whole: the statistics of the whole image. local: those "
        "around each place, as a crop of training has them; one pass. auto: local where training "
        "cut crops out of images as they are, else whole.",
    )
    parser.add_argument(
        "--patch_px",
        type=int,
        default=0,
        help="Side of the patches of --statistics local; 0: of the crops of the training.",
    )
    parser.add_argument(
        "--level",
        type=int,
        help="Of a slide's pyramid (.svs, .ndpi, OME-TIFF); 0: finest.",
    )
    parser.add_argument(
        "--mpp", type=float, default=0.0, help="Microns per pixel at which a slide is read."
    )
    parser.add_argument(
        "--background",
        type=str,
        choices=("keep", "white"),
        default="keep",
        help="What stands where a slide has no tissue, which is not translated: the input, or "
        "white.",
    )
    parser.add_argument(
        "--keep_profile",
        action="store_true",
        help="Leave colors the numbers they have, and write their color profile into the output, "
        "instead of bringing both to sRGB.",
    )
    parser.add_argument(
        "--keep_alpha",
        action="store_true",
        help="Carry transparency over (PNG, WebP, TIFF) instead of laying images on white.",
    )
    parser.add_argument(
        "--labels",
        type=str,
        help="Folder of label files (png, txt, json, xml) of the images' folders and stems: copied "
        "beside the outputs, with a manifest of what was made from what.",
    )
    parser.add_argument(
        "--temporal_half_life_frames",
        type=float,
        help="Of videos: after how many frames the statistics of a frame count half, against "
        "flicker; 0 takes each frame by itself.",
    )
    parser.add_argument(
        "--axis",
        type=str,
        help="Of volumes: along which the slices are (axial, coronal, sagittal, or 0, 1, 2 as "
        "stored); by default as in training.",
    )
    parser.add_argument(
        "--directions",
        type=int,
        help="Of volumes: 3 averages translations along axial, coronal and sagittal slices.",
    )
    parser.text_options.add("axis")
    for former, option in _FORMER.items():
        cli.hidden_alias(parser, former, option)
    return parser


def kept_of(arguments: Namespace) -> Kept:
    """Say what of a file is asked to stay as it is."""
    from cyclegan_tf.images.codecs import Kept

    return Kept(arguments.keep_profile, arguments.keep_alpha)
