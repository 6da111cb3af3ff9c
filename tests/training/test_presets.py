from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from swapmark.errors import InputError
from swapmark.training.config import Config, read_config
from swapmark.training.presets import PRESETS, resolve_config


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_survives_its_way_through_config_yaml(preset, tmp_path):
    config = resolve_config(preset=preset)
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(asdict(config)), encoding="utf-8")
    assert read_config(path) == config
    assert resolve_config(config=path) == config, "and as --config over another preset"
    assert resolve_config(config=config) == resolve_config(config=str(path)) == config


def test_single_values_go_over_sections_over_config_over_the_preset(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("training: {steps: 5, seed: 5, batch_size: 8}\nmodel: {landmarks: 5}")
    config = resolve_config(
        preset="paper", config=path, training={"seed": 6, "steps": 6}, steps=7, method="imm"
    )
    training = config.training
    assert (training.steps, training.seed, training.batch_size) == (7, 6, 8)
    assert (config.model.landmarks, config.model.backbone, config.method) == (5, "plain", "imm")
    sections = {"model": {"sigma": 0.2}, "views": {"flip": 0}, "c3": {"inverse": 1}}
    config = resolve_config(**sections, landmarks=3, seed=0, training=None)
    assert (config.model.landmarks, config.model.sigma) == (3, 0.2)
    assert (config.views.flip, config.c3.inverse) == (0, 1)


@pytest.mark.parametrize(("preset", "own"), [("laptop", (0.002, 0.5)), ("demo", (0.001, 1))])
def test_the_baseline_has_rates_of_its_own_unless_told(preset, own):
    def rates(**settings):
        training = resolve_config(preset=preset, **settings).training
        return training.learning_rate, training.backbone_rate

    assert rates(method="c3") == rates() != own
    assert rates(method="imm") == rates(config={"method": "imm"}) == own
    assert rates(method="imm", training={"learning_rate": 0.003}) == (0.003, own[1])


def test_a_relative_path_of_vgg_weights_holds_from_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = resolve_config(config={"perceptual_vgg": "weights/vgg16.pth"})
    assert config.perceptual_vgg == str(Path.cwd() / "weights" / "vgg16.pth")


def test_the_preset_is_laptop_unless_given_and_stays_as_it_is():
    before = repr(PRESETS)
    assert resolve_config(landmarks=3, steps=9) != resolve_config() != Config()
    assert resolve_config() == resolve_config(preset="laptop")
    assert repr(PRESETS) == before


def test_an_unknown_preset_or_section_is_named():
    # Unwrapped: the shape checks of the tests would refuse the name before we do.
    with pytest.raises(InputError, match=f"'huge'.* {', '.join(PRESETS)}"):
        resolve_config.__wrapped__(preset="huge")
    with pytest.raises(InputError, match=r"moddel: .*model\?"):
        resolve_config(moddel={"landmarks": 2})
