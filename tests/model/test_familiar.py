"""Pictures unlike the training pictures are told from those like them."""

import numpy as np

from swapmark.model.familiar import FEWEST, learn_familiar, parse_familiar, pool, read_familiar


def features(count: int, seed: int, off: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return off + random.normal(size=(count, 40)) * np.linspace(0.1, 2, 40) + np.arange(40)


def test_new_pictures_of_the_kind_are_within_the_limit_and_others_beyond():
    familiar = learn_familiar(features(400, 0))
    assert familiar is not None
    assert (familiar.distance(features(400, 1)) > 1).mean() < 0.01
    assert (familiar.distance(features(400, 2, off=2.0)) > 1).all()


def test_a_channel_that_is_dead_in_training_alone_does_not_decide():
    dead, new = features(400, 0), features(400, 1)
    dead[:, 3], new[:, 3] = 0.0, 0.05
    familiar = learn_familiar(dead)
    assert familiar is not None
    assert (familiar.distance(new) > 1).mean() < 0.02


def test_what_is_kept_is_read_again_and_nothing_else(tmp_path):
    familiar = learn_familiar(features(100, 0))
    assert familiar is not None
    familiar.save(tmp_path)
    read, new = read_familiar(tmp_path), features(20, 1)
    assert read is not None
    assert np.allclose(read.distance(new), familiar.distance(new), rtol=1e-3)
    for text in ("", "[]", '{"mean": [1], "spread": [0], "limit": 1}', '{"mean": [1]}'):
        assert parse_familiar(text) is None
    assert read_familiar(tmp_path / "absent") is None
    assert learn_familiar(features(FEWEST - 1, 0)) is None


def test_maps_are_pooled_over_their_places():
    maps = [np.arange(24.0).reshape(2, 2, 2, 3), np.ones((2, 1, 1, 2))]
    assert pool(maps).tolist() == [[4.5, 5.5, 6.5, 1, 1], [16.5, 17.5, 18.5, 1, 1]]
