import dataclasses
from pathlib import Path

import pytest
import yaml

from swapmark.errors import InputError
from swapmark.training.config import (
    Config,
    TrainingConfig,
    config_from_mapping,
    config_to_mapping,
    override,
    parse_setting,
    read_yaml,
)
from swapmark.training.presets import IMM_RATES, PRESETS
from swapmark.training.train import resolve_config

# Values that differ from the default, where "another number" or "the other choice" is not enough.
OTHER = {
    "model.image_size": 96,
    "model.backbone": "plain",
    "model.appearance": "vector",
    "views.pairs": "tps",
    "training.batch_size": 6,
    "training.precision": "float32",
    "training.fit": "crop",
    "method": "imm",
    "perceptual_vgg": str(Path("vgg16.pth").absolute()),
}


def every_setting() -> list[str]:
    names = []
    for field in dataclasses.fields(Config):
        value = getattr(Config(), field.name)
        inner = dataclasses.fields(value) if dataclasses.is_dataclass(value) else []
        names += [f"{field.name}.{entry.name}" for entry in inner] or [field.name]
    return names


def value_of(config: Config, name: str):
    for part in name.split("."):
        config = getattr(config, part)
    return config


def resolved(*settings: str) -> Config:
    return resolve_config("laptop", None, settings, {})


def message(*settings: str) -> str:
    with pytest.raises(InputError) as caught:
        resolved(*settings)
    return str(caught.value)


@pytest.mark.parametrize("name", every_setting())
def test_every_setting_can_be_set_from_the_command_line(name):
    default = value_of(resolved(), name)
    if name in OTHER:
        other = OTHER[name]
    elif isinstance(default, bool):
        other = not default
    else:
        other = default + 1 if isinstance(default, int) else default / 2 + 0.125
    config = resolved(f"{name}={yaml.safe_dump(other).splitlines()[0]}")
    assert value_of(config, name) == other != default
    others = override(
        config_to_mapping(resolved()), IMM_RATES["laptop"] if name == "method" else {}
    )
    assert config_to_mapping(config) == override(others, parse_setting(f"{name}={other}")), (
        "nothing else has changed"
    )


@pytest.mark.parametrize(
    ("setting", "hint"),
    [
        (
            "training.stepz=3",
            "training.stepz: there is no such setting. Did you mean training.steps?",
        ),
        ("trainig.steps=3", "Did you mean training?"),
        ("landmark=3", "Did you mean model.landmarks?"),
        ("steps=3", "Did you mean training.steps?"),
        ("c3.cicle=3", "Did you mean c3.cycle?"),
        ("qqq=3", "qqq: there is no such setting."),
    ],
)
def test_an_unknown_setting_is_told_the_nearest_one(setting, hint):
    assert hint in message(setting)


@pytest.mark.parametrize(
    ("setting", "field"),
    [
        ("model.landmarks=many", "model.landmarks: "),
        ("model.landmarks=2.5", "model.landmarks: "),
        ("model.landmarks.x=2", "model.landmarks: "),
        ("model.sigma=[1]", "model.sigma: "),
        ("c3.second_swap=maybe", "c3.second_swap: "),
        ("method=c4", "method: Input should be 'c3' or 'imm' (found 'c4')"),
        ("model.backbone=resnet", "model.backbone: "),
        ("training=5", "training: "),
        ("training=", "training: "),
    ],
)
def test_a_value_of_the_wrong_type_is_named(setting, field):
    assert field in message(setting)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("training.batch_size=3", "training.batch_size is 3; expected an even number"),
        ("training.batch_size=0", "training.batch_size is 0; expected an even number"),
        ("training.steps=0", "training.steps is 0; expected at least 1"),
        ("training.log_every=0", "training.log_every is 0; expected at least 1"),
        ("training.learning_rate=0", "training.learning_rate is 0.0; expected more than 0"),
        ("training.learning_rate=.nan", "training.learning_rate is nan; expected more than 0"),
        ("training.weight_decay=.inf", "training.weight_decay is inf; expected at least 0"),
        ("training.seed=-1", "training.seed is -1; expected 0 to 4294967295"),
        ("training.average=1.5", "training.average is 1.5; expected 0 to 1"),
        ("training.backbone_rate=-1", "training.backbone_rate is -1.0; expected at least 0"),
        ("model.image_size=40", "model.image_size is 40; expected a multiple of 16"),
        ("model.landmarks=0", "model.landmarks is 0; expected at least 1"),
        ("model.decoder_width=3", "model.decoder_width is 3; expected at least 4"),
        ("model.sigma=0", "model.sigma is 0.0; expected more than 0"),
        ("views.flip=2", "views.flip is 2.0; expected 0 to 1"),
        ("c3.cycle=-1", "c3.cycle is -1.0; expected at least 0"),
    ],
)
def test_a_value_out_of_range_is_named_with_the_range(setting, words):
    assert words in message(setting)


def test_a_backbone_of_random_weights_cannot_be_frozen():
    words = "\n  training.backbone_rate is 0, which freezes the backbone; expected more than 0 with"
    assert words in message("training.backbone_rate=0", "model.backbone=plain")
    assert resolved("training.backbone_rate=0").training.backbone_rate == 0


def test_mirror_pairs_need_two_landmarks_each_and_the_term_that_they_act_by():
    assert resolved("c3.mirror_pairs=5").c3.mirror_pairs == 5
    words = "c3.mirror_pairs is 6; expected at most 5, as there are 10 landmarks"
    assert words in message("c3.mirror_pairs=6")
    words = "c3.known_equivariance is 0; expected more than 0 with c3.mirror_pairs=1"
    assert words in message("c3.mirror_pairs=1", "c3.known_equivariance=0")
    assert resolved("method=imm", "c3.mirror_pairs=1", "c3.known_equivariance=0")


def test_several_problems_are_told_at_once():
    text = message("views.flip=2", "c3.cycle=-1")
    assert "views.flip" in text
    assert "c3.cycle" in text


def test_bounds_are_of_settings_that_exist():
    from swapmark.training import config

    bounded = {*config._AT_LEAST, *config._AT_MOST, *config._ABOVE_ZERO}
    assert bounded <= set(every_setting())


def test_whole_numbers_and_exponents_are_taken_for_fractions():
    # YAML reads 1e-3, which has no point, as text.
    config = resolved("c3.cycle=2", "training.learning_rate=1e-3", "views.rotation=0")
    assert (config.c3.cycle, config.training.learning_rate) == (2.0, 1e-3)
    assert isinstance(config.views.rotation, float)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_survives_its_way_through_config_yaml(preset, tmp_path):
    config = resolve_config(preset, None, [], {})
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config_to_mapping(config)), encoding="utf-8")
    assert config_from_mapping(read_yaml(path)) == config
    assert resolve_config("laptop", path, [], {}) == config, "and as --config over another preset"


def test_named_arguments_go_over_settings_over_the_file_over_the_preset(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("training: {steps: 5, seed: 5, batch_size: 8}\nmodel: {landmarks: 5}")
    named = {"training": {"steps": 7}, "model": {}}
    config = resolve_config("paper", path, ["training.seed=6", "training.steps=6"], named)
    training = config.training
    assert (training.steps, training.seed, training.batch_size) == (7, 6, 8)
    assert (config.model.landmarks, config.model.backbone) == (5, "plain")


@pytest.mark.parametrize(("preset", "own"), [("laptop", (0.002, 0.5)), ("demo", (0.001, 1))])
def test_the_baseline_has_rates_of_its_own_unless_told(preset, own, tmp_path):
    def rates(path=None, settings=(), **named):
        training = resolve_config(preset, path, settings, named).training
        return training.learning_rate, training.backbone_rate

    file = tmp_path / "mine.yaml"
    file.write_text("method: imm")
    assert rates(method="c3") == rates() != own
    assert rates(method="imm") == rates(settings=["method=imm"]) == rates(file) == own
    assert rates(settings=["training.learning_rate=0.003"], method="imm") == (0.003, own[1])


def test_a_relative_path_of_vgg_weights_holds_from_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = resolved("perceptual_vgg=weights/vgg16.pth")
    assert config.perceptual_vgg == str(Path.cwd() / "weights" / "vgg16.pth")
    assert resolved(f"perceptual_vgg={config.perceptual_vgg}") == config
    assert resolved().perceptual_vgg is None


def test_the_preset_is_laptop_unless_given():
    assert resolve_config(None, None, [], {}) == resolved()


def test_resolving_leaves_the_presets_as_they_are():
    before = repr(PRESETS)
    resolved("model.landmarks=3", "training.steps=9")
    assert repr(PRESETS) == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: [1", "cannot be read as YAML"),
        (b"\xff\xfe\x00", "cannot be read as YAML"),
        (b"- 1\n- 2", "holds list; expected settings"),
        (b"!!python/object/apply:os.system ['touch hacked']", "cannot be read as YAML"),
        (None, "cannot be read as YAML"),
    ],
)
def test_a_file_that_is_no_yaml_of_settings_is_refused(content, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        read_yaml(path)
    assert str(path) in str(caught.value)
    assert not (tmp_path / "hacked").exists()


def test_the_file_is_named_when_a_setting_in_it_is_wrong(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("1: 2")
    with pytest.raises(InputError, match=r"config\.yaml is not valid:\n  1: there is no such"):
        config_from_mapping(read_yaml(path), source=str(path))


@pytest.mark.parametrize("text", ["training.steps", "=5", "training.steps=[1", "training.steps={"])
def test_a_setting_that_is_none_is_refused_with_its_text(text):
    with pytest.raises(InputError) as caught:
        parse_setting(text)
    assert f"--set {text!r}" in str(caught.value)


def test_an_unknown_preset_is_told_the_known_ones():
    # Unwrapped: the shape checks of the tests would refuse the name before we do.
    with pytest.raises(InputError, match=f"There is no preset 'huge'.* {', '.join(PRESETS)}"):
        resolve_config.__wrapped__("huge", None, [], {})


def test_made_directly_an_odd_batch_is_refused_too():
    with pytest.raises(ValueError, match="batch_size is 7"):
        TrainingConfig(batch_size=7)
