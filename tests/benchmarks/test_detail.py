"""The comparison of ways to bring detail back."""

import numpy as np

from benchmarks.quality import detail
from cyclegan_tf.images import io as image_io
from tests.helpers.image_files import noise


def test_the_table_holds_every_way(tmp_path, capsys):
    for index in range(2):
        image_io.save(tmp_path / "in" / f"{index}.png", noise(40, 40, seed=index))
    words = ["--photos", str(tmp_path / "in"), "--px", "20", "10", "--images", str(tmp_path)]
    assert detail.main(words) == 0
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert head == "| way | 2x | 4x |"
    names = [row.split(" | ")[0].strip("| ") for row in rows]
    assert names == ["the input", *detail.WAYS]
    assert (tmp_path / "2x.png").is_file()


def test_ours_is_what_translations_are_made_with():
    image = noise(40, 40)
    found = dict(detail.results(image, detail._ideal, 20, full=True))
    assert set(found) == {"the input", *detail.WAYS, "full"}
    truth = detail.change(image)
    np.testing.assert_array_equal(found["full"], truth)
    error = {name: np.abs(result.astype(int) - truth).mean() for name, result in found.items()}
    assert error["gains (taken)"] < error["enlarged"]
