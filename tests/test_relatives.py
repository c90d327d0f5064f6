import math

import pytest
import torch
from scipy import stats
from torch.nn import functional as F

from vae_helpers import relatives
from vae_helpers.losses import squared_error
from vae_helpers.models import VAE, mlp, seeded
from vae_helpers.relatives import Relative

KAPPAS = [0.1, 1.0, 10.0, 300.0]


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def images(n=8):
    return torch.rand(n, 784, generator=torch.Generator().manual_seed(1))


def test_a_relative_with_the_ends_of_the_vae_starts_with_its_weights():
    mean = images().mean(dim=0)
    ours, vae = Relative(4, 2, seed=3, mean=mean).state_dict(), VAE(seed=3, mean=mean).state_dict()
    assert ours.keys() == vae.keys() and all(torch.equal(ours[name], vae[name]) for name in vae)


def test_the_loss_is_squared_error_plus_weight_times_charge():
    loss = relatives.charged_loss(lambda model, x: (torch.tensor([1.0, 3.0]), torch.tensor([10.0, 20.0])), 0.5)
    assert loss(None, None) == {"loss": 2 + 7.5, "recon": 2, "charge": 15}


class TestSphere:
    @pytest.mark.parametrize("kappa", KAPPAS)
    def test_the_kl_term_is_the_difference_of_entropies(self, kappa):
        entropy = stats.vonmises_fisher([0, 0, 1], kappa).entropy()
        ours = relatives.vmf_kl(torch.tensor([[kappa]], dtype=torch.float64))
        assert ours.item() == pytest.approx(math.log(4 * math.pi) - entropy, abs=1e-9)

    @pytest.mark.parametrize("kappa", KAPPAS)
    def test_draws_have_the_moments_of_the_density(self, kappa):
        mu = F.normalize(torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64), dim=1).expand(40_000, 3)
        with seeded(0):
            z = relatives.vmf_sample(mu, torch.full((40_000, 1), kappa, dtype=torch.float64))
        w = (z * mu).sum(dim=1)
        langevin = 1 / math.tanh(kappa) - 1 / kappa
        square = 1 - 2 * langevin / kappa  # E w²
        assert torch.allclose(z.norm(dim=1), torch.ones(40_000).double())
        assert abs(w.mean() - langevin) < 4 * w.std() / 200 and abs((w**2).mean() - square) < 4 * (w**2).std() / 200
        side = z - w[:, None] * mu  # uniform around μ: no direction is preferred
        assert side.mean(dim=0).norm() < 4 * side.norm(dim=1).mean() / 200

    def test_the_gradient_reaches_both_parameters(self):
        h = normal(16, 3).requires_grad_()
        relatives.vmf_sample(*relatives.vmf_parameters(h)).square().mul(torch.tensor([1.0, 2.0, 3.0])).sum().backward()
        mu = F.normalize(h.detach(), dim=1)
        along = (h.grad * mu).sum(dim=1)
        assert (along.abs() > 1e-6).all() and ((h.grad - along[:, None] * mu).norm(dim=1) > 1e-6).all()

    def test_concentration_is_the_length_and_more_than_a_tenth(self):
        mu, kappa = relatives.vmf_parameters(torch.tensor([[3.0, 0.0, 4.0], [0.0, 1e-3, 0.0]]))
        assert torch.allclose(mu, torch.tensor([[0.6, 0, 0.8], [0, 1, 0]])) and torch.allclose(
            kappa.T, torch.tensor([5.1, 0.101])
        )


class TestCodebook:
    def test_the_nearest_entry_is_chosen_and_the_gradient_passes(self):
        h, book = normal(10, 4, 2).requires_grad_(), normal(16, 2, seed=1)
        z, index = relatives.quantize(h, book)
        weight = normal(10, 4, 2, seed=2)
        (weight * z).sum().backward()
        assert torch.equal(index, torch.cdist(h.detach().reshape(-1, 2), book).argmin(dim=1).reshape(10, 4))
        assert torch.allclose(z, book[index]) and torch.equal(h.grad, weight)

    def test_each_half_of_the_charge_moves_one_side(self):
        model = Relative(8, 8, codebook=torch.nn.Parameter(normal(16, 2).float()))
        recon, charge = relatives.vq_terms(model, images())
        gradient = torch.autograd.grad(charge.sum(), model.codebook)[0]
        h = model.encoder(images()).unflatten(1, (4, 2)).detach()
        entries, index = relatives.quantize(h, model.codebook.detach())
        distance = (h - entries).square().sum(dim=(1, 2))
        pull = torch.zeros(16, 2).index_add_(0, index.flatten(), 2 * (entries - h).flatten(0, 1))
        assert torch.allclose(charge, 1.25 * distance, atol=1e-5) and torch.allclose(gradient, pull, atol=1e-4)
        assert torch.allclose(recon, squared_error(images(), model.decode(entries.flatten(1))), atol=1e-3)

    def test_the_commitment_has_a_quarter_of_the_weight(self):
        model = Relative(8, 8, codebook=torch.nn.Parameter(normal(16, 2).float()))
        last = model.encoder[-1].bias
        gradient = torch.autograd.grad(relatives.vq_terms(model, images())[1].sum(), last)[0]
        h = model.encoder(images()).unflatten(1, (4, 2))
        entries = relatives.quantize(h, model.codebook)[0].detach()
        expected = torch.autograd.grad((h - entries).square().sum(), last)[0]
        assert torch.allclose(gradient, 0.25 * expected, atol=1e-5)


class TestAdversarial:
    def test_each_part_is_moved_by_its_own_goal_only(self):
        with seeded(0):
            model = Relative(2, 2, critic=mlp(2, 16, 1))
        with seeded(1):
            relatives.adversarial_terms(model, images())[1].sum().backward()
        with seeded(1):
            draws = torch.randn(8, 2)
        z = model.encoder(images())
        logits = model.critic(torch.cat([draws, z]))
        bce = F.binary_cross_entropy_with_logits
        real, fake = torch.ones(8, 1), torch.zeros(8, 1)
        codes = model.critic(model.encoder(images()).detach())
        tells = bce(model.critic(draws), real, reduction="sum") + bce(codes, fake, reduction="sum")
        for part, loss in ((model.encoder, bce(logits[8:], real, reduction="sum")), (model.critic, tells)):
            expected = torch.autograd.grad(loss, list(part.parameters()), retain_graph=True)
            assert all(torch.allclose(p.grad, g, atol=1e-5) for p, g in zip(part.parameters(), expected, strict=True))


class TestDiscrepancy:
    @pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (0.5, 1.0), (0.0, 0.5), (1.0, 2.0)])
    def test_the_mean_over_batches_is_that_of_two_gaussians(self, shift, scale, d=3):
        def mean_kernel(v, m):
            return sum((s**2 / (s**2 + v)) ** (d / 2) * math.exp(-d * m**2 / 2 / (s**2 + v)) for s in relatives.SCALES)

        exact = mean_kernel(2, 0) + mean_kernel(2 * scale**2, 0) - 2 * mean_kernel(1 + scale**2, shift)
        batches = [
            relatives.mmd(normal(40, d, seed=i), shift + scale * normal(40, d, seed=999 + i)) for i in range(400)
        ]
        values = torch.stack(batches)
        assert abs(values.mean() - exact) < 4 * values.std() / 20

    def test_every_image_is_charged_for_its_batch(self):
        with seeded(0):
            recon, charge = relatives.mmd_terms(Relative(2, 2), images())
        assert recon.shape == charge.shape == (8,) and charge.std() < 1e-7


class TestPlanar:
    def parameters(self, n=200):
        z, u, w = (3 * normal(n, 2, seed=seed) for seed in (1, 2, 3))
        return z, u, w, normal(n, 1, seed=4)

    def test_the_determinant_is_that_of_autograd_and_positive(self):
        z, u, w, b = self.parameters()
        assert ((w * u).sum(dim=1) < -1).sum() > 20
        for i in range(50):
            jacobian = torch.autograd.functional.jacobian(
                lambda x, i=i: relatives.planar(x[None], u[i : i + 1], w[i : i + 1], b[i : i + 1])[0][0], z[i]
            )
            determinant = torch.linalg.det(jacobian)
            assert determinant > 0
            assert relatives.planar(z, u, w, b)[1][i].item() == pytest.approx(determinant.log().item(), abs=1e-9)

    def test_without_a_push_nothing_moves(self):
        z, u, w, b = self.parameters()
        moved, log_det = relatives.planar(z, torch.zeros_like(u), w, b)
        assert torch.allclose(moved, z) and log_det.abs().max() < 1e-12

    def test_the_charge_averages_to_the_divergence_from_the_prior(self):
        h = torch.tensor([[0.5, -0.3, -1.0, -2.0, 1.0, 0.5, 2.0, -1.0, 0.3]])

        class Fixed:
            def encoder(self, x):
                return h.expand(len(x), -1)

            def decode(self, z):
                return torch.zeros(len(z), 784)

        with seeded(0):
            _, charge = relatives.planar_terms(Fixed(), torch.zeros(40_000, 784))
        mu, logvar, u, w, b = h.split([2, 2, 2, 2, 1], dim=1)
        q0 = torch.distributions.Independent(torch.distributions.Normal(mu, (0.5 * logvar).exp()), 1)
        with seeded(1):
            start = q0.sample((40_000,)).squeeze(1)
        z, log_det = relatives.planar(start, *(value.expand(40_000, -1) for value in (u, w, b)))
        prior = torch.distributions.Independent(torch.distributions.Normal(torch.zeros(2), torch.ones(2)), 1)
        ratio = q0.log_prob(start) - log_det - prior.log_prob(z)
        error = (charge.var() + ratio.var()).sqrt() / 200
        assert abs(charge.mean() - ratio.mean()) < 4 * error and charge.std() < ratio.std()


def test_shrinking_the_codes_does_not_lower_the_charge_of_the_penalty():
    model = Relative(2, 2, mean=images().mean(dim=0))
    z = model.encoder(images())
    weights = sum(p.square().sum() for name, p in model.decoder.named_parameters() if name.endswith("weight"))
    recon, charge = relatives.ridge_terms(model, images())
    assert torch.allclose(charge, 0.5 * z.square().sum(dim=1) + 0.01 * weights)
    assert torch.allclose(recon, squared_error(images(), model.decode(z)))


def test_the_terms_of_the_vae_are_those_of_its_loss():
    model, x = Relative(4, 2), images()
    with seeded(5):
        recon, kl = relatives.vae_terms(model, x)
    mu, logvar = model.encoder(x).chunk(2, dim=1)
    with seeded(5):
        z = mu + (0.5 * logvar).exp() * torch.randn_like(mu)
    normal_of = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(normal_of(mu, (0.5 * logvar).exp()), normal_of(0.0, 1.0)).sum(dim=1)
    assert torch.allclose(kl, expected, atol=1e-5) and torch.allclose(recon, squared_error(x, model.decode(z)))
