"""The site, built once from the notebooks as they are stored."""

import pytest
from site_parts import load_builder


@pytest.fixture(scope="session")
def builder():
    return load_builder()


@pytest.fixture(scope="session")
def site(builder, tmp_path_factory):
    """The folder of the site."""
    folder = tmp_path_factory.mktemp("a folder with spaces") / "site"
    builder.main(["--to", str(folder)])
    return folder
