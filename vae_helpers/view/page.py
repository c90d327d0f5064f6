"""A page that needs nothing but itself."""

import html

from vae_helpers.whole_files import write_whole

STYLE = """body { margin: 0; background: #f2f2f2; color: #111; font-family: system-ui, Arial, sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 10px; }
h1 { font-size: 22px; margin: 6px 0 12px; }
@media (prefers-color-scheme: dark) { body { background: #000; color: #eee; } }"""


def save(path, view, *, title="Latent planes under one cursor"):
    """Write `view` as a page that needs nothing but itself; an older file stays until the page is complete."""
    page = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{html.escape(title)}</h1>\n{view.html}\n</main>\n</body>\n</html>\n"
    )
    write_whole(path, page.encode())
