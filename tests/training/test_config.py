import dataclasses
from pathlib import Path

import pytest
import yaml

from swapmark.errors import InputError
from swapmark.training.config import (
    Config,
    TrainingConfig,
    override,
    parse_settings,
    read_config,
    read_yaml,
)
from swapmark.training.presets import IMM_RATES, resolve_config

# Values that differ from the default, where "another number" or "the other choice" is not enough.
OTHER = {
    "model.image_size": 96,
    "model.resize": "crop",
    "model.backbone": "plain",
    "model.appearance": "vector",
    "views.pairs": "tps",
    "training.batch_size": 6,
    "training.precision": "float32",
    "method": "imm",
    "perceptual_vgg": str(Path("vgg16.pth").absolute()),
}


def every_setting() -> list[str]:
    names = []
    for name, value in dataclasses.asdict(Config()).items():
        names += [f"{name}.{inner}" for inner in value] if isinstance(value, dict) else [name]
    return names


def value_of(config: Config, name: str):
    for part in name.split("."):
        config = getattr(config, part)
    return config


def resolved(*settings: str) -> Config:
    return resolve_config(config=parse_settings(settings))


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
        dataclasses.asdict(resolved()), IMM_RATES["laptop"] if name == "method" else {}
    )
    expected = override(others, parse_settings([f"{name}={other}"]))
    assert dataclasses.asdict(config) == expected, "nothing else has changed"


@pytest.mark.parametrize(
    ("setting", "nearest"),
    [
        *(("training.stepz=3", "training.steps"), ("trainig.steps=3", "training")),
        *(("landmark=3", "model.landmarks"), ("c3.cicle=3", "c3.cycle")),
    ],
)
def test_an_unknown_setting_is_told_the_nearest_one(setting, nearest):
    with pytest.raises(InputError, match=rf" {nearest}\?$"):
        resolved(setting)


@pytest.mark.parametrize(
    "setting",
    [
        *("model.landmarks=many", "model.landmarks=2.5", "model.sigma=[1]"),
        *("c3.flow_consensus=maybe", "method=c4", "model.backbone=resnet", "training=5"),
        *("training=", "qqq=3", "training.batch_size=3", "training.batch_size=0"),
        *("training.steps=0", "training.log_every=0", "training.learning_rate=0"),
        *("training.learning_rate=.nan", "training.weight_decay=.inf", "training.seed=-1"),
        *("training.seed=4294967296", "training.average=1.5", "training.backbone_rate=-1"),
        *("training.warmup=-1", "training.clip=0", "views.flip=yes", "training.steps=true"),
    ],
)
def test_a_value_that_cannot_be_is_named(setting):
    with pytest.raises(InputError) as caught:
        resolved(setting)
    assert f"  {setting.partition('=')[0]}" in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (("training.backbone_rate=0", "model.backbone=plain"), "training.backbone_rate is 0"),
        (("c3.mirror_pairs=6",), "c3.mirror_pairs is 6; .* 5"),
        (("c3.mirror_pairs=1", "c3.known_equivariance=0"), "c3.known_equivariance is 0"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, named):
    with pytest.raises(InputError, match=named):
        resolved(*settings)


def test_what_goes_together_is_taken():
    assert resolved("training.backbone_rate=0").training.backbone_rate == 0
    assert resolved("c3.mirror_pairs=5").c3.mirror_pairs == 5
    assert resolved("method=imm", "c3.mirror_pairs=1", "c3.known_equivariance=0")


def test_several_problems_are_told_at_once():
    with pytest.raises(InputError, match=r"(?s)method.*training\.steps"):
        resolved("method=c4", "training.steps=0")


def test_whole_numbers_and_exponents_are_taken_for_fractions():
    # YAML reads 1e-3, which has no point, as text.
    config = resolved("c3.cycle=2", "training.learning_rate=1e-3", "views.rotation=0")
    assert (config.c3.cycle, config.training.learning_rate) == (2.0, 1e-3)
    assert isinstance(config.views.rotation, float)


@pytest.mark.parametrize("changes", [{"batch_size": 7}, {"steps": 0}, {"clip": 0.0}])
def test_made_directly_the_bounds_hold_too(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        TrainingConfig(**changes)


@pytest.mark.parametrize(
    "content",
    [b"a: [1", b"\xff\xfe\x00", b"- 1\n- 2", b"!!python/object/apply:os.system ['touch hacked']"],
)
def test_a_file_that_is_no_yaml_of_settings_is_refused(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.yaml"
    with pytest.raises(InputError, match=r"mine\.yaml"):
        read_yaml(path)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"mine\.yaml"):
        read_yaml(path)
    assert not (tmp_path / "hacked").exists()


def test_the_file_is_named_when_a_setting_in_it_is_wrong(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("1: 2")
    with pytest.raises(InputError, match=r"config\.yaml.*\n  1: "):
        read_config(path)


@pytest.mark.parametrize(("second", "weights"), [("true", (0, 0.5)), ("false", (0.5, 0))])
def test_settings_of_an_earlier_version_are_read(tmp_path, second, weights):
    path = tmp_path / "config.yaml"
    path.write_text(f"training: {{fit: crop}}\nc3: {{second_swap: {second}, cycle: 0.5}}")
    config = read_config(path)
    assert (config.c3.swap, config.c3.cycle) == weights
    assert config.model.resize == "crop"


def test_later_settings_go_over_earlier_ones():
    assert parse_settings(["a.b=1", "a.c=[2]", "a.b=x", "d=null"]) == {
        "a": {"b": "x", "c": [2]},
        "d": None,
    }
    assert parse_settings([]) == {}


@pytest.mark.parametrize("text", ["training.steps", "=5", "training.steps=[1", "training.steps={"])
def test_a_setting_that_is_none_is_refused_with_its_text(text):
    with pytest.raises(InputError) as caught:
        parse_settings([text])
    assert repr(text) in str(caught.value)
