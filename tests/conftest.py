"""Tests use the offline digits unless VAE_DATA names a folder with MNIST; nothing here asks the network."""

import os

if not os.environ.get("VAE_DATA"):
    os.environ.setdefault("VAE_DATASET", "digits")
os.environ["TQDM_DISABLE"] = "1"
