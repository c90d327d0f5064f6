"""Helpers for the chapters on the KL term of a variational autoencoder; import the modules by name."""

__version__ = "0.1.0"
