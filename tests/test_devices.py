"""What learns stays on the device that it was given: on the meta device, which computes shapes alone, and on a GPU."""

import pytest
import torch

from vae_helpers import diffusion, experiments, losses, metrics, models
from vae_helpers.data import load_digit_images
from vae_helpers.studies import relatives
from vae_helpers.training import fit

GPU = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU"))


@pytest.mark.parametrize("device", ["meta", GPU])
@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
@pytest.mark.parametrize("arm", experiments.ARMS)
def test_every_arm_loses_where_its_images_are(device, likelihood, arm):
    model, x = models.VAE(mean=torch.rand(784)).to(device), torch.rand(5, 784, device=device)
    terms = experiments.loss_of(experiments.Run(arm, likelihood, beta=0.5))(model, x)
    assert {value.device.type for value in terms.values() if isinstance(value, torch.Tensor)} == {device}
    terms["loss"].backward()
    assert {parameter.device.type for parameter in model.parameters()} == {device}


@pytest.mark.parametrize("device", ["meta", GPU])
def test_networks_of_the_later_chapters_stay_where_they_are(device):
    x = torch.rand(5, 784, device=device)
    conv = models.ConvVAE().to(device)
    z = models.reparameterize(*conv.encode(x))
    assert losses.squared_error(x, conv.decode(z)).device.type == device
    assert diffusion.noise_error(diffusion.Denoiser(16).to(device), z).device.type == device


@pytest.mark.parametrize("device", ["meta", GPU])
@pytest.mark.parametrize("kind", relatives.KINDS)
def test_every_relative_loses_where_its_images_are(device, kind):
    model = relatives.network(relatives.Run(kind), mean=torch.rand(784)).to(device)
    for value in relatives.KINDS[kind][2](model, torch.rand(5, 784, device=device)):
        assert value.device.type == device


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")
def test_a_gpu_learns_what_the_processor_learns():
    """Ten seeds on the processor give the interval in which the run on the GPU must lie; its random numbers differ."""
    data, ends = load_digit_images("digits"), {"cpu": [], "cuda": []}
    for device, seeds in (("cpu", range(10)), ("cuda", range(1))):
        for seed in seeds:
            x = data.train.x.to(device)
            model = models.VAE(seed=seed, mean=data.train.x.mean(dim=0)).to(device)
            run = experiments.Run("VAE", "gaussian", 1.0, seed, "digits")
            history = fit(model, x, experiments.loss_of(run), epochs=60, seed=seed, quiet=True)
            ends[device].append(history["loss"][-1])
    mean, half = metrics.prediction(torch.tensor(ends["cpu"]).numpy())
    assert abs(ends["cuda"][0] - mean) < half
