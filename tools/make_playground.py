"""Write the playground, one page that needs nothing but itself: python tools/make_playground.py [--to FILE]"""

import argparse
from pathlib import Path

from vae_helpers.view import page
from vae_helpers.view.playground import playground

ROOT = Path(__file__).resolve().parents[1]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--to", type=Path, default=ROOT / "playground.html", metavar="FILE", help="replaced if there")
    path = parser.parse_args(argv).to
    page.save(path, playground(), title="A VAE in one page: draw, follow, train")
    print(f"{path.stat().st_size / 1e6:.1f} MB: open {path.name} in any browser; it needs no network.")


if __name__ == "__main__":
    main()
