from made_up_tables import example

from swapmark.points.losses import WORDS, frames_as_names, losses


def test_what_a_format_keeps_is_not_lost():
    assert losses(example(), held=("names", *WORDS)) == ()
    assert losses(example(), held=("names", "confidence", "sizes", "scales")) == (
        "the splits",
        "the groups",
    )


def test_still_images_keep_their_names():
    assert frames_as_names(example()) is not None
    assert frames_as_names(example()).files == example().files
