"""What a learner has done, in one small file beside the notebooks, which may be deleted and is never sent anywhere.

$VAE_PROGRESS names another file: executing the chapters for the repository keeps out of a learner's own.
"""

import json
import os
from pathlib import Path

from vae_helpers.whole_files import write_whole

FILE = Path(os.environ.get("VAE_PROGRESS", "my-progress.json"))


def read(kind):
    """{name: what was kept} for "exercises" or "predictions"; empty where the file is missing or not ours."""
    kept = _whole().get(kind)
    return kept if isinstance(kept, dict) else {}


def remember(kind, name, value):
    """Keep a value that JSON can hold; a folder that cannot be written to costs a printed line, nothing else."""
    whole = _whole() | {kind: read(kind) | {name: value}}
    try:
        write_whole(FILE, json.dumps(whole, indent=1, ensure_ascii=False).encode())
    except OSError as error:
        print(f"(This cannot be kept here: {error.strerror}.)")


def _whole():
    try:
        kept = json.loads(FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}
