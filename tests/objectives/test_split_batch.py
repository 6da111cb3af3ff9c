"""Two processes with half a batch each compute the loss of the whole batch, to rounding."""

import torch
import torch.multiprocessing

from swapmark.data.views import Batch, ViewsConfig, make_batch
from swapmark.model.model import ModelConfig, SwapModel
from swapmark.objectives.c3 import C3, C3Config
from swapmark.objectives.perceptual import PerceptualDistance


def views(share: slice) -> Batch:
    pictures = torch.randint(
        0, 256, (4, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    strength = ViewsConfig(translation=0.4)  # masks that differ much
    return make_batch(pictures, strength, torch.Generator().manual_seed(1), share=share)


def one_step(share: slice) -> dict[str, torch.Tensor]:
    """Terms, running means and gradient of a first training step."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    nets = {"backbone": "plain", "backbone_width": 4, "landmark_width": 16, "decoder_width": 16}
    model = SwapModel(ModelConfig(landmarks=3, image_size=32, appearance_width=8, **nets))
    perceptual = PerceptualDistance()
    config = C3Config(cycle=1.0, equivariance=1.0)
    terms = C3(model, perceptual, config).train()(views(share), 1.0)
    terms["loss"].backward()
    gradient = torch.cat([value.grad.flatten() for value in model.parameters()])
    detached = {name: value.detach() for name, value in terms.items()}
    return {**detached, "running": perceptual.running, "gradient": gradient}


def half_a_step(rank: int, folder: str) -> None:
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
    )
    torch.save(one_step(slice(2 * rank, 2 * rank + 2)), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_halves_of_a_batch_average_to_the_whole(tmp_path):
    torch.multiprocessing.spawn(half_a_step, args=(str(tmp_path),), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    whole = one_step(slice(None))
    assert (first["reconstruction"] - second["reconstruction"]).abs() > 1e-3
    for name, expected in whole.items():
        mean = (first[name] + second[name]) / 2
        torch.testing.assert_close(
            mean, expected, atol=1e-5, rtol=1e-3, msg=lambda m, n=name: f"{n}: {m}"
        )
    assert torch.equal(first["running"], second["running"])
