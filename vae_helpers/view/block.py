"""Blocks of HTML that live without a kernel: an empty place, and a script that fills it and hides the still before it.

A cell's output then is a still picture and, as a second output, its block. Where scripts are stripped, as on GitHub,
the still remains; where they run, the block takes its place.
"""

import hashlib
import html
import json
from base64 import b64encode
from importlib import resources

WEB = resources.files("vae_helpers").joinpath("view", "web")


def block(kind, scripts, data, *, styles, inside=""):
    """The block, its script and style joined from files of web/, in one scope; data: JSON types. Same input, same HTML.

    The script must define `start(host, data)`. inside: HTML that shows until the script has run.
    """
    script = "\n".join(read(name) for name in (*scripts, "start.js"))
    payload = to_json({"style": "".join(read(name) for name in styles), **data})
    name = hashlib.sha256((script + payload).encode()).hexdigest()[:16]
    return (
        f'<div data-vae-{html.escape(kind)}="{name}">{inside}</div>\n'
        f'<script>(function () {{\n"use strict";\n{script}\nbegin("[data-vae-{kind}=\\"{name}\\"]", {payload});\n}})();'
        "</script>"
    )


def figure(png, alt):
    """A picture with its description beneath, as HTML."""
    data, text = b64encode(png).decode(), html.escape(alt)
    return (
        f'<figure style="margin: 0"><img src="data:image/png;base64,{data}" alt="{text}" style="max-width: 100%">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def read(name):
    """The text of a file of web/."""
    return WEB.joinpath(name).read_text(encoding="utf-8")


def to_json(data):
    """JSON that is safe inside a script element: no <, > or &, and nothing outside ASCII."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
