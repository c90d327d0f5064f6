"""Helpers for the chapters on the KL term of a variational autoencoder; import the modules by name.

The lesson, in this order: losses, models, training, latent, metrics, experiments; relatives and diffusion for the later
chapters, and studies for their tables. Plumbing: checkpoints and weights (stored models), whole_files (writing safely),
data (finding digits), view (figures and controls).
"""

__version__ = "0.1.0"
