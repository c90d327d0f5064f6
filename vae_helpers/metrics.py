"""Numbers for likelihood, completeness, continuity and mechanism: one value per image or point; the mean comes last.

Likelihoods and rates are in nats. All but `gauge` keep their value when latent space is mapped by an invertible affine
map and the decoder undoes it; a test holds them to it. `mean_and_error` gives the mean its Monte Carlo error.
"""

import math

import numpy as np
import torch
from torch.nn import functional as F

from vae_helpers.latent import standard_normal
from vae_helpers.losses import bernoulli_nll
from vae_helpers.models import seeded


def bernoulli_pairs(x, logits):
    """log p(x|z) = Σ x·logit − log(1 + e^logit) for every image with every decoded code, by one matrix product.

    x: (n, pixels) in [0, 1]; logits: (m, pixels). Returns (n, m) nats; on the diagonal it is −bernoulli_nll.
    """
    return x @ logits.T - F.softplus(logits).sum(dim=-1)


def gaussian_pairs(x, x_hat, variance=0.5):
    """log N(x; x̂, σx² I) for every image with every decoded code, by one matrix product.

    x: (n, D); x_hat: (m, D); variance: the decoder's σx². Returns (n, m) nats; on the diagonal it is −gaussian_nll.
    """
    sse = x.square().sum(dim=-1, keepdim=True) - 2 * x @ x_hat.T + x_hat.square().sum(dim=-1)
    return -sse / (2 * variance) - x.shape[-1] / 2 * math.log(2 * math.pi * variance)


def latent_grid(half_width=4.0, step=0.05):
    """(n², 2) points of a square grid on [−half_width, half_width]²; 161² of them by default. z₁ varies fastest."""
    if not 0 < step <= half_width < math.inf:
        raise ValueError(f"step must lie above 0 and not above half_width, got {step!r} and {half_width!r}.")
    axis = torch.linspace(-half_width, half_width, 2 * round(half_width / step) + 1)
    return torch.cartesian_prod(axis, axis).flip(dims=[1])


@torch.no_grad()
def grid_log_likelihood(decode, x, pairs=bernoulli_pairs, *, prior=None, grid=None):
    """log p(x) = log Σ p(x|z) p(z) Δ² over a fine grid of the latent plane; no encoder is needed.

    decode: (m, 2) codes → what `pairs` compares with x (logits for bernoulli_pairs); x: (n, pixels) in [0, 1].
    prior: a latent.Gaussian, N(0, I) by default; grid: evenly spaced points u of `latent_grid`, from which
    z = mean + scale u. Returns (n,) nats. Memory: a few hundred decoded grid points at a time.
    """
    prior, grid = prior or standard_normal(2), latent_grid() if grid is None else grid
    area = (grid[1] - grid[0]).norm() ** 2
    parts = []
    for u in grid.split(512):
        log_prior = -u.square().sum(dim=-1) / 2 - math.log(2 * math.pi)
        log_joint = pairs(x, decode(prior.mean + u @ prior.scale.T)) + log_prior
        parts.append(log_joint.double().logsumexp(dim=-1))
    return torch.stack(parts).logsumexp(dim=0) + area.log()


def mixture_log_likelihood(decode, x, mixture, pairs=bernoulli_pairs, *, grid=None):
    """log p(x) when the prior is a mixture of Gaussians: each component has a grid of its own. (n,) nats.

    mixture: a latent.Mixture. Other arguments as in `grid_log_likelihood`.
    """
    parts = [grid_log_likelihood(decode, x, pairs, prior=part, grid=grid) for part in mixture.parts]
    return (torch.stack(parts) + mixture.weights.log()[:, None]).logsumexp(dim=0)


def log_weights(model, x, k, nll=bernoulli_nll, *, decode=None):
    """log p(x|z) + log p(z) − log q(z|x) for k draws z ~ q(z|x) per image: (k, n) nats.

    model.encode(x) gives mu and logvar; decode gives what `nll` compares with x (model.decode_logits by default).
    The mean over draws estimates the ELBO.
    """
    mu, logvar = model.encode(x)
    rows = []
    for _ in range(k):
        eps = torch.randn_like(mu)
        z = mu + (0.5 * logvar).exp() * eps
        log_ratio = (eps.square() + logvar - z.square()).sum(dim=-1) / 2  # log p(z) − log q(z|x)
        rows.append(log_ratio - nll(x, (decode or model.decode_logits)(z)))
    return torch.stack(rows)


@torch.no_grad()
def iwae_nll(model, x, k, nll=bernoulli_nll, *, decode=None, seed=0):
    """−log (1/k) Σ p(x, z_i) / q(z_i|x), the bound of Burda et al. 2016 on −log p(x): (n,) nats; k = 1 is −ELBO.

    Arguments as in `log_weights`; the draws start at `seed`. Raises ValueError unless k is an integer of 1 or more.
    """
    if type(k) is not int or k < 1:
        raise ValueError(f"k must be an integer of 1 or more, got {k!r}.")
    with seeded(seed):
        log_w = log_weights(model, x, k, nll, decode=decode)
        return math.log(k) - log_w.logsumexp(dim=0)


def mean_and_error(values):
    """Mean of independent values and its standard error, sd / √n."""
    values = values.double()
    return values.mean().item(), (values.std() / len(values) ** 0.5).item()


def interval(values, confidence=0.95):
    """Mean of independent values and the half-width of Student's t interval around it, two-sided."""
    from scipy import stats

    mean, error = mean_and_error(torch.from_numpy(np.array(values, dtype=np.float64)))
    return mean, error * stats.t.ppf(0.5 + confidence / 2, len(values) - 1)


def prediction(values, confidence=0.999):
    """Mean of independent normal values and the half-width around it within which one further value should lie."""
    mean, half = interval(values, confidence)
    return mean, half * (len(values) + 1) ** 0.5


def coverage(reference, samples, *, k=5):
    """Completeness: 1 where a sample lies as near to a reference as its k-th nearest other reference, else 0: (n,).

    reference: (n, D) reconstructions, so that blur counts against nobody; samples: (m, D) decoded draws. Source:
    Naeem et al. 2020.
    """
    among = torch.cdist(reference, reference)
    radius = among.kthvalue(k + 1, dim=1).values
    nearest = torch.cdist(reference, samples).min(dim=1).values
    return (nearest <= radius).float()


def energy_distance(reference, samples):
    """Sample quality: 2 E‖x − y‖ − E‖x − x′‖ − E‖y − y′‖ ≥ 0, and 0 only for equal distributions: (n,).

    reference: (n, D) images x; samples: (m, D) decoded draws y. The value of an image holds its own part of the first
    two means, so that the mean is the unbiased estimate. Source: Székely and Rizzo 2013.
    """
    n, m = len(reference), len(samples)
    to_samples = torch.cdist(reference, samples).mean(dim=1)
    among = torch.cdist(reference, reference).sum(dim=1) / (n - 1)
    return 2 * to_samples - among - torch.cdist(samples, samples).sum() / (m * (m - 1))


def small_steps(z, scale, delta, *, seed=0):
    """Each point moved by δ L u, u uniform on the unit sphere: a step of the same share of the spread for every model.

    z: (n, d); scale: (d, d), the L of the codes' covariance L Lᵀ. Returns (n, d).
    """
    u = torch.randn(z.shape, generator=torch.Generator().manual_seed(seed), dtype=z.dtype)
    return z + delta * (u / u.norm(dim=1, keepdim=True)) @ scale.T


def flips(classify, decode, z, *, scale, delta, seed=0):
    """Continuity: 1 where a step of δ changes the class of the decoded image, else 0: (n,).

    classify: (n, 784) images → (n,) classes; decode: (n, d) codes → images; scale, delta: as in `small_steps`.
    """
    return (classify(decode(z)) != classify(decode(small_steps(z, scale, delta, seed=seed)))).float()


def neighbours(z, *, scale, k=20):
    """The k-th nearest among the codes z, for each of them, as (n,) indices: a step whose length the codes decide.

    z, scale: as in `small_steps`.
    """
    white = torch.linalg.solve_triangular(scale, (z - z.mean(dim=0)).T, upper=False).T
    return torch.cdist(white, white).kthvalue(k + 1, dim=1).indices


@torch.no_grad()
def neighbour_flips(classify, decode, z, *, scale, k=20):
    """Continuity by ranks: 1 where a code and its k-th nearest decode to different classes, else 0: (n,)."""
    named = classify(decode(z))
    return (named != named[neighbours(z, scale=scale, k=k)]).float()


@torch.no_grad()
def neighbour_change(decode, z, *, scale, k=20):
    """Continuity by ranks: ‖f(z) − f(k-th nearest)‖² / 2 tr Var f: (n,). Its mean is 1 where codes say nothing."""
    x = decode(z)
    change = (x - x[neighbours(z, scale=scale, k=k)]).square().sum(dim=-1)
    return change / (2 * x.var(dim=0).sum())


@torch.no_grad()
def roughness(decode, z, *, scale, h=1e-2):
    """Continuity: ‖J L‖² / tr Var f(z) at each point, J the decoder's Jacobian by central differences: (n,).

    For z ~ N(m, L Lᵀ) the mean is 1 for a linear decoder and more for any other (Poincaré's inequality); it is
    ω² coth ω² for f = sin(ω z). h: the step as a share of the spread.
    """
    columns = [(decode(z + h * column) - decode(z - h * column)) / (2 * h) for column in scale.T]
    return sum(column.square().sum(dim=-1) for column in columns) / decode(z).var(dim=0).sum()


def midpoint_confidence(log_probs, decode, z, *, seed=0):
    """Highest class probability of the image half-way between each code and another, drawn at random: (n,).

    log_probs: (n, 784) images → (n, classes) log-probabilities of a classifier.
    """
    other = z[torch.randperm(len(z), generator=torch.Generator().manual_seed(seed))]
    return log_probs(decode((z + other) / 2)).max(dim=1).values.exp()


def gauge(gaussian):
    """KL(N(m, S) ‖ N(0, I)) = ½ (tr S + mᵀm − d − log det S), S = L Lᵀ: what location and scale cost alone, in nats."""
    mean, scale = gaussian.mean.double(), gaussian.scale.double()
    squares = scale.square().sum() + mean.square().sum()
    return (0.5 * (squares - len(mean)) - scale.diag().log().sum()).item()


def negentropy(codes, *, k=5):
    """KL(q ‖ N(m, S)) for the density q of the codes and the Gaussian of its moments: the shape alone. (n,) nats.

    Entropy after Kozachenko and Leonenko 1987: distances to the k-th neighbour among whitened codes. A mean below 0
    is the estimate's error. codes: (n, d) draws that differ from one another.
    """
    from scipy.spatial import cKDTree
    from scipy.special import digamma

    codes = codes.double()
    (n, d), centred = codes.shape, codes - codes.mean(dim=0)
    root = torch.linalg.cholesky(centred.T @ centred / n)
    white = torch.linalg.solve_triangular(root, centred.T, upper=False).T.numpy()
    distances = torch.from_numpy(cKDTree(white).query(white, k + 1)[0][:, -1])
    log_ball = d / 2 * math.log(math.pi) - math.lgamma(d / 2 + 1)
    entropy = float(digamma(n) - digamma(k)) + log_ball + d * distances.log()
    return d / 2 * math.log(2 * math.pi) + torch.from_numpy(white).square().sum(dim=1) / 2 - entropy


def _log_normal(z, mu, logvar):
    return -0.5 * ((z - mu).square() / logvar.exp() + logvar + math.log(2 * math.pi)).sum(dim=-1)


def log_aggregate(z, mu, logvar):
    """log q(z) = log (1/n) Σ N(z; μᵢ, σᵢ²), the density of the aggregate posterior, at each z: (m,).

    z: (m, d); mu, logvar: (n, d).
    """
    rows = [_log_normal(some[:, None], mu, logvar).logsumexp(dim=1) for some in z.split(200)]
    return torch.cat(rows) - math.log(len(mu))


def rate_parts(mu, logvar, *, seed=0):
    """Mechanism: one draw z per image, log q(z|x) − log q(z) and log q(z) − log p(z); their sum averages to the rate.

    The first averages to the mutual information of image and code, at most log n, the second to the divergence from
    N(0, I) of the aggregate posterior q(z), the mixture over these n images. Source: Hoffman and Johnson 2016.
    mu, logvar: (n, d). Returns two tensors (n,), nats.
    """
    mu, logvar = mu.double(), logvar.double()
    eps = torch.randn(mu.shape, generator=torch.Generator().manual_seed(seed), dtype=mu.dtype)
    z = mu + (0.5 * logvar).exp() * eps
    log_q, log_prior = log_aggregate(z, mu, logvar), _log_normal(z, torch.zeros_like(z), torch.zeros_like(z))
    return _log_normal(z, mu, logvar) - log_q, log_q - log_prior


def mutual_information_gap(codes, factors, *, bins=20):
    """Disentanglement: how much more the best code tells of a factor than the second best, over its entropy.

    codes: (n, d), cut into `bins` of equal counts each; factors: (n, k) integers. Returns (k,), 1 where one code tells
    all and the others nothing. The names of codes do not matter, their axes do. Source: Chen et al. 2018 (MIG).
    """
    from sklearn.metrics import mutual_info_score

    edges = torch.quantile(codes, torch.linspace(0, 1, bins + 1, dtype=codes.dtype)[1:-1], dim=0).T.contiguous()
    binned = torch.searchsorted(edges, codes.T.contiguous()).numpy()
    gaps = []
    for factor in factors.T.numpy():
        told = sorted((mutual_info_score(factor, code) for code in binned), reverse=True)
        gaps.append((told[0] - told[1]) / mutual_info_score(factor, factor))
    return torch.tensor(gaps)
