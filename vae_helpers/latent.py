"""Places in latent space: densities fitted to the codes, and points, grids and paths in quantile coordinates."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Gaussian:
    """N(mean, scale scaleᵀ) on latent space; mean (d,), scale (d, d) lower triangular.

    Quantile coordinates u in (0, 1)^d name the point mean + scale Φ⁻¹(u): u = ½ is the mean, and u = 0.025 … 0.975
    the middle 95 % of each axis, whatever the scale, shift or tilt of the codes.
    """

    mean: torch.Tensor
    scale: torch.Tensor

    def at(self, u):
        """Latent points (…, d) at quantile coordinates u (…, d); ValueError unless 0 < u < 1: the ends are infinite."""
        u = torch.as_tensor(u, dtype=torch.float32)
        eps = torch.special.ndtri(u)
        if not eps.isfinite().all():
            raise ValueError(f"quantile coordinates must lie strictly between 0 and 1, got {u.min():g} to {u.max():g}.")
        return self.push(eps)

    def push(self, eps):
        """Latent points (…, d) from standard normal coordinates eps (…, d): mean + scale · eps."""
        return self.mean + eps @ self.scale.T

    def sample(self, n, seed=0):
        """(n, d) draws; the same seed gives the same underlying standard normal numbers for every Gaussian."""
        eps = torch.randn(n, len(self.mean), generator=torch.Generator().manual_seed(seed))
        return self.push(eps)


def standard_normal(latent_dim=2):
    """The prior N(0, I) as a Gaussian."""
    return Gaussian(torch.zeros(latent_dim), torch.eye(latent_dim))


def fit_gaussian(mu, logvar=None):
    """The Gaussian with the mean and covariance of the codes: Cov(μ), plus the mean of σ² when logvar is given.

    mu, logvar: (n, d). With logvar these are the moments of the aggregate posterior q(z), the mixture of all q(z|x).
    Raises ValueError for fewer than d + 1 codes, or codes that do not spread in every direction.
    """
    if mu.ndim != 2 or len(mu) <= mu.shape[1]:
        raise ValueError(f"mu must have shape (n, d) with n > d, got {tuple(mu.shape)}.")
    cov = torch.cov(mu.double().T).reshape(mu.shape[1], mu.shape[1])
    if logvar is not None:
        cov = cov + torch.diag(logvar.double().exp().mean(dim=0))
    scale, failed = torch.linalg.cholesky_ex(cov)
    if failed or not torch.isfinite(scale).all():
        raise ValueError("the codes do not spread in every latent direction, so no Gaussian fits them.")
    return Gaussian(mu.double().mean(dim=0).float(), scale.float())


@dataclass(frozen=True)
class Mixture:
    """Σ wₖ N(mₖ, Sₖ) on latent space: weights (k,) that sum to 1, and one Gaussian for each."""

    weights: torch.Tensor
    parts: tuple

    def sample(self, n, seed=0):
        """(n, d) draws, in random order."""
        eps, generator = standard_normal(len(self.parts[0].mean)).sample(n, seed), torch.Generator().manual_seed(seed)
        which = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        return torch.stack([part.push(eps) for part in self.parts])[which, torch.arange(n)]


def fit_mixture(codes, k=10, seed=0):
    """The mixture of k Gaussians that EM fits to codes (n, d), started at `seed`; scikit-learn does the work."""
    from sklearn.mixture import GaussianMixture

    fitted = GaussianMixture(k, random_state=seed).fit(codes.double().numpy())
    means, covariances = torch.tensor(fitted.means_), torch.tensor(fitted.covariances_)
    parts = zip(means.float(), torch.linalg.cholesky(covariances).float(), strict=True)
    return Mixture(torch.tensor(fitted.weights_), tuple(Gaussian(*part) for part in parts))


def quantile_grid(gaussian, n=15, middle=0.95):
    """(n, n, 2) latent points, equally spaced in quantiles over the middle share of each axis; row 0 is the top.

    Never reaches the quantiles 0 and 1, which lie at infinity.
    """
    if gaussian.mean.numel() != 2:
        raise ValueError(f"a grid needs a 2-D latent space, got {gaussian.mean.numel()} dimensions.")
    u = torch.linspace(0.5 - middle / 2, 0.5 + middle / 2, n)
    u1, u2 = torch.meshgrid(u, u.flip(0), indexing="xy")
    return gaussian.at(torch.stack([u1, u2], dim=-1))


def box_grid(x_range, y_range, n=15):
    """(n, n, 2) latent points, equally spaced over a box in raw latent units; row 0 is the top."""
    z1, z2 = torch.linspace(*x_range, n), torch.linspace(*y_range, n)
    return torch.stack(torch.meshgrid(z1, z2.flip(0), indexing="xy"), dim=-1)


def straight_path(start, end, n=9):
    """(n, d) points on the straight line from start to end, both included."""
    t = torch.linspace(0, 1, n).unsqueeze(1)
    return start + t * (end - start)


def seen_from(points, east, north):
    """Points of the unit sphere as somebody sees them who looks at it from the given degrees east and north.

    points: (n, 3). Returns their places to the right and up, (n, 2), the (n,) mask of those on the near side, and the
    point in the middle, (3,).
    """
    a, b = torch.deg2rad(torch.tensor([float(east), float(north)]))
    front = torch.stack([b.cos() * a.cos(), b.cos() * a.sin(), b.sin()])
    right = torch.stack([-a.sin(), a.cos(), torch.zeros(())])
    up = torch.linalg.cross(front, right)
    return points @ torch.stack([right, up], dim=1), points @ front > 0, front


@dataclass(frozen=True)
class Panel:
    """One model's latent plane: what a control needs to draw it and to decode from it.

    model: anything with decode(z) → pixels; gaussian: its region; codes: (n, 2); labels: (n,) digit classes or None.
    """

    model: object
    gaussian: Gaussian
    codes: torch.Tensor
    labels: torch.Tensor | None = None

    def outline(self, middle=0.95):
        """(5, 2) corners of the region in which a cursor moves: the box of middle quantiles, a closed line."""
        a, b = 0.5 - middle / 2, 0.5 + middle / 2
        return self.gaussian.at([[a, a], [b, a], [b, b], [a, b], [a, a]])
