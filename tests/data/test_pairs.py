"""Partners by file stem, by number and from a list, and what is refused."""

import dataclasses

import numpy as np
import pytest

from cyclegan_tf.data import image_lists, pairs, sources
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.images.headers import ImageInfo
from tests.helpers.errors import refused


def images(names):
    return image_lists.ImageList(tuple(names), 3, lambda index: np.zeros((4, 4, 3), np.uint8))


def source(train_x, train_y, test_x=(), test_y=()):
    lists = [images(names) for names in (train_x, train_y, test_x, test_y)]
    return sources.UnpairedDataset(*lists, description="")


TEN = source(
    [f"trainA/{i}.jpg" for i in range(10)], [f"trainB/{i}.png" for i in reversed(range(8))]
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("trainA/5.jpg", "5"), ("trainA/sub/5.jpg", "sub/5"), ("trainA/00005", None),
        ("5.tar.gz", "5.tar"), ("train/x/0001", "train/x/0001"),
    ],
)  # fmt: skip
def test_the_stem_of_a_name(name, expected):
    assert pairs.stem(name) == expected


def test_auto_pairs_what_has_one_name_up_to_the_suffix():
    assert pairs.choose_pairs(TEN, "auto", 0) == tuple((i, 7 - i) for i in range(8))
    assert pairs.choose_pairs(TEN, "none", 0) == ()


def test_a_number_takes_some_by_the_seed_and_more_add_to_fewer():
    chosen = [set(pairs.choose_pairs(TEN, number, 3)) for number in ("2", "5", "8")]
    assert [len(few) for few in chosen] == [2, 5, 8]
    assert chosen[0] < chosen[1] < chosen[2] == set(pairs.choose_pairs(TEN, "auto", 3))
    assert len({pairs.choose_pairs(TEN, "2", seed) for seed in range(6)}) > 1
    more = source(["trainA/new.jpg", *TEN.train_x.names], ["trainB/new.jpg", *TEN.train_y.names])
    names = {x for x, _ in pairs.names_of(pairs.choose_pairs(more, "5", 3), more)}
    assert len(names & {x for x, _ in pairs.names_of(tuple(chosen[1]), TEN)}) >= 4


def test_more_than_there_are():
    sentence = r"data\.pairs is 9, but 8 training images of X have a partner of the same name in Y"
    with refused("missing", "data.pairs", match=sentence):
        pairs.choose_pairs(TEN, "9", 0)


def test_no_partner_found():
    with refused("missing", "data.pairs", match=r"X begins with trainA/a\.jpg, Y with trainB/b"):
        pairs.choose_pairs(source(["trainA/a.jpg"], ["trainB/b.jpg"]), "auto", 0)


def test_one_name_twice():
    doubled = source(["trainA/a.jpg"], ["trainB/a.jpg", "trainB/a.png"])
    with refused("mismatch", "data.pairs", match=r"trainB/a\.jpg and trainB/a\.png of Y have one"):
        pairs.choose_pairs(doubled, "auto", 0)
    alone = source(["trainA/a.jpg"], ["trainB/a.jpg", "trainB/b.jpg", "trainB/b.png"])
    assert pairs.choose_pairs(alone, "auto", 0) == ((0, 0),)


LISTED = source(
    ["trainA/one.jpg", "trainA/two.jpg", "trainA/three.jpg"],
    ["trainB/eins.png", "trainB/zwei.png"],
    ["testA/four.jpg"],
    ["testB/vier.png"],
)


class TestList:
    def choose(self, tmp_path, text, encoding="utf-8"):
        path = tmp_path / "list.csv"
        path.write_text(text, encoding=encoding)
        return pairs.choose_pairs(LISTED, str(path), 0)

    @pytest.mark.parametrize("head", ["", "x,y\n", "A,B\n"])
    def test_names_with_or_without_the_folder(self, tmp_path, head):
        text = f"{head}trainA/two.jpg,zwei.png\r\n\n one.jpg , trainB/eins.png\n"
        assert self.choose(tmp_path, text, "utf-8-sig") == ((0, 0), (1, 1))

    def test_pairs_held_out_for_testing_are_passed_over(self, tmp_path):
        assert self.choose(tmp_path, "four.jpg,vier.png\none.jpg,eins.png\n") == ((0, 0),)
        with refused("missing", "data.pairs", match="names no pair of training images"):
            self.choose(tmp_path, "four.jpg,vier.png\n")

    def test_a_name_that_is_not_there(self, tmp_path):
        sentence = r"list\.csv, line 1: eims\.png is no image of Y; did you mean eins\.png\?$"
        with refused("missing", "data.pairs", match=sentence):
            self.choose(tmp_path, "one.jpg,eims.png\n")
        with refused("missing", "data.pairs", match=r"line 1: 17 is no image of X\.$"):
            self.choose(tmp_path, "17,eins.png\n")

    def test_a_name_twice(self, tmp_path):
        sentence = r"line 2: eins\.png of Y has a partner in line 1 already"
        with refused("invalid", "data.pairs", match=sentence):
            self.choose(tmp_path, "one.jpg,eins.png\ntwo.jpg,eins.png\n")
        with refused("invalid", "data.pairs"):
            self.choose(tmp_path, "one.jpg,eins.png\ntwo.jpg,trainB/eins.png\n")

    def test_lines_that_are_no_pair(self, tmp_path):
        with refused("unreadable", "data.pairs", match=r"line 2: 'two\.jpg' is not two names"):
            self.choose(tmp_path, "one.jpg,eins.png\ntwo.jpg\n")

    def test_no_such_file(self, tmp_path):
        with refused("missing", "data.pairs", match="cannot be read as a list of pairs"):
            pairs.choose_pairs(LISTED, str(tmp_path / "none.csv"), 0)
        (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00,\x80")
        with refused("unreadable", "data.pairs"):
            pairs.choose_pairs(LISTED, str(tmp_path / "bytes.csv"), 0)


def test_a_run_finds_its_pairs_again():
    chosen = pairs.choose_pairs(TEN, "5", 1)
    names = pairs.names_of(chosen, TEN)
    assert pairs.recorded_pairs(names, TEN) == chosen
    fewer = source(TEN.train_x.names[:4], TEN.train_y.names)
    assert pairs.recorded_pairs(names, fewer) == tuple(pair for pair in chosen if pair[0] < 4)


def test_partners_of_different_sizes_are_refused_where_it_matters(tmp_path):
    def sized(names, sizes):
        infos = tuple(ImageInfo(tmp_path, "PNG", w, h, "RGB", 3) for w, h in sizes)
        return dataclasses.replace(images(names), infos=infos)

    found = sources.UnpairedDataset(
        sized(["a.png", "b.png"], [(40, 30), (40, 30)]),
        sized(["a.png", "b.png"], [(80, 60), (80, 90)]),
        images([]), images([]), "",
    )  # fmt: skip
    both = ((0, 0), (1, 1))
    pairs.check_sizes(both, found, ImageTransform("resize_and_crop", 20, 16))
    pairs.check_sizes(both[:1], found, ImageTransform("scale_width_and_crop", 20, 12))
    with refused("mismatch", "data.pairs", match=r"b\.png.*\(20x15 and 20x22 px\).*1 of 2 pairs"):
        pairs.check_sizes(both, found, ImageTransform("scale_width_and_crop", 20, 12))


def test_halves_of_one_image_are_partners_where_no_name_is_shared():
    halves = source(["trainA/1_A.jpg", "trainA/2_A.jpg"], ["trainB/2_B.jpg", "trainB/3_B.jpg"])
    assert pairs.choose_pairs(halves, "auto", 0) == ((1, 0),)
    plain = source(["trainA/1_A.jpg", "trainA/4.jpg"], ["trainB/1_B.jpg", "trainB/4.jpg"])
    assert pairs.choose_pairs(plain, "auto", 0) == ((1, 1),)


def test_the_demo_with_pairs_shows_the_same_scenes():
    demo = sources.open_demo(is_paired=True)
    assert pairs.choose_pairs(demo, "auto", 0) == tuple((i, i) for i in range(400))
    x, y = demo.train_x.read(3), demo.train_y.read(3)
    plain = sources.open_demo()
    np.testing.assert_array_equal(x, plain.train_x.read(3))
    assert (y != plain.train_y.read(3)).any()
    # the sky's and the ground's borders lie where they lay
    assert np.corrcoef(x.mean(2).ravel(), y.mean(2).ravel())[0, 1] > 0.3
