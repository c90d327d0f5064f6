"""What a learner has done, in one small file beside the notebooks, which may be deleted and is never sent anywhere.

$VAE_PROGRESS names another file: executing the chapters for the repository keeps out of a learner's own.
"""

import json
import os
import secrets
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
        if FILE.is_file() and FILE.stat().st_size and not _whole():  # not ours, or damaged
            aside = FILE.with_name(f"{FILE.name}.{secrets.token_hex(2)}.kept")
            FILE.replace(aside)  # of a link, the link alone
            print(f"(What stood in {FILE.name} cannot be read as progress; it is now in {aside.name}.)")
        write_whole(FILE, json.dumps(whole, indent=1, ensure_ascii=False).encode(errors="replace"))
    except OSError as error:
        print(f"(This cannot be kept here: {error.strerror}.)")


def _whole():
    try:
        if not FILE.is_file():  # a pipe or a device would be waited for
            return {}
        kept = json.loads(FILE.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    ours = isinstance(kept, dict) and kept.keys() & {"exercises", "predictions"}
    return kept if ours else {}
