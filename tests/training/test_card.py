from swapmark.training.card import model_card, with_metadata
from swapmark.training.run import Run


def test_the_card_says_how_the_model_was_made_and_what_was_measured(tmp_path, tiny_config):
    run = Run(tmp_path)
    run.append_metrics({"step": 10, "loss": 2.5})
    run.append_metrics({"step": 20, "loss": 1.25})
    settings = ("method=imm", "model.landmarks=7", "training.seed=3", "training.batch_size=32")
    card = model_card(run, tiny_config(*settings), 20)
    assert "7 landmarks" in card
    assert "IMM" in card
    assert "20 of 40 steps of 32 images" in " ".join(card.split())
    assert "seed 3" in card
    assert "| loss | 1.25 |" in card
    assert "2.5 |" not in card, "only the last line of the log"


def test_a_run_without_metrics_has_a_card_too(tmp_path, tiny_config):
    card = model_card(Run(tmp_path), tiny_config(), 1)
    assert "C³" in card
    assert "2007.01053" in card


def test_the_head_for_the_hub_is_replaced_and_keeps_the_license_it_named():
    card = with_metadata("# Card\n\n---\n\ntext\n---\n", license="mit")
    assert with_metadata(card) == card
    assert with_metadata(card, license="cc0-1.0").count("license: ") == 1
    assert "license: unknown" in with_metadata("# Card")
    assert card.endswith("\n\n# Card\n\n---\n\ntext\n---\n"), "a line of dashes is no head"
