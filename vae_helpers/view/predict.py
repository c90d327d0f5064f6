"""Predictions that are committed before the result is seen: a number, a choice, or a curve.

The result uncovers when a guess is entered, or at once with Enter alone. The first guess counts; how well one guesses
is kept beside the notebooks (progress.py) and told by tally(). Where no kernel runs, the result unfolds on a click.
"""

import html
import math
from base64 import b64encode

import ipywidgets as ipw
from IPython.display import display

from vae_helpers import progress
from vae_helpers.view.picture import COLORS, picture
from vae_helpers.view.widgets import close_whole, image_box

CLOSE = 0.25  # a number within a quarter of the truth is a hit, and a curve within a quarter of its range
_live = {}  # name → prediction: a cell that runs again replaces what it made before


def number(name, truth, *, said, unit=""):
    """Ask for a number, then uncover `truth` (in `unit`) and what is `said`."""
    truth = float(truth)

    def judge(text):
        guess = _number(text.removesuffix(unit))
        words = f"You said {guess:.4g}, it is {truth:.3g} {unit}".rstrip() + _how_far(guess, truth)
        return _close(guess, truth), words, None

    return _Prediction(name, "number", judge, f"Result: {truth:.3g} {unit}".rstrip() + ".", said)


def choice(name, options, right, *, said):
    """Offer the options, then uncover which is `right` and what is `said`."""
    letters = dict(zip("abcdefgh", options, strict=False))
    if right not in options:
        raise ValueError(f"right must be one of {', '.join(map(repr, options))}, got {right!r}.")

    def judge(text):
        chosen = letters.get(text.strip(" ().").lower(), text)
        if chosen not in options:
            raise ValueError(f"“{text}” is not one of the letters {', '.join(letters)}.")
        words = "so it is." if chosen == right else f"the result is “{right}”."
        return chosen == right, f"You chose “{chosen}”; {words}", None

    return _Prediction(name, "choice", judge, f"Result: {right}.", said, letters)


def curve(name, x, truth, *, low, high, said, **labels):
    """Ask for a number between low and high at every x, then draw the guess beside the truth (n,); labels: of axes."""
    x, truth = [[float(v) for v in values] for values in (x, truth)]

    def judge(text):
        guess = [_number(word) for word in text.replace(";", " ").split()]
        if len(guess) != len(x):
            raise ValueError(f"{len(x)} numbers are wanted, separated by spaces, got {len(guess)}.")
        off, span = sum(abs(a - b) for a, b in zip(guess, truth, strict=True)) / len(x), max(truth) - min(truth)
        words = f"Your curve is off by {off:.3g} on average, over a range of {span:.3g}."
        return off <= CLOSE * span, words, _drawn(x, truth, guess, said, labels)

    return _Prediction(name, "curve", judge, "", said, shown=_drawn(x, truth, None, said, labels), at=(x, low, high))


def tally():
    """How well the reader has guessed so far, by kind of prediction."""
    entries = [entry for entry in progress.read("predictions").values() if isinstance(entry, list) and len(entry) == 2]
    kept = [entry for entry in entries if isinstance(entry[0], str) and entry[1] in (True, False, None)]
    if not kept:
        print("predictions: none committed yet.")
        return
    parts = []
    for kind, words in (("number", "numbers within a quarter"), ("choice", "choices"), ("curve", "curves near")):
        hits = [hit for what, hit in kept if what == kind and hit is not None]
        parts += [f"{sum(hits)} of {len(hits)} {words}"] * bool(hits)
    passed = sum(hit is None for _, hit in kept)
    parts += [f"{passed} uncovered without a guess"] * bool(passed)
    print(f"predictions: {', '.join(parts)}.")


class _Prediction(ipw.VBox):
    """An entry, and what comes of it: judge(text) → (hit, words, Picture or None) raises ValueError for no answer."""

    def __init__(self, name, kind, judge, plain, said, letters=(), shown=None, at=None):
        self.name, self.kind, self.judge, self.plain, self.said, self.picture = name, kind, judge, plain, said, shown
        wanted = {"number": "a number", "choice": "a letter", "curve": "numbers, from left to right"}[kind]
        self.entry = ipw.Text(
            description="Your guess",
            placeholder=f"{wanted}, then Enter; Enter alone uncovers the result",
            layout=ipw.Layout(width="min(100%, 34em)"),
        )
        self.entry.on_msg(self._hear)
        self.result, self.image = ipw.HTML(), image_box("520px").add_class("vae-figure")
        self.image.layout.display = "none"
        self.sliders = [] if at is None else self._sliders(*at)
        chosen = [self._button(f"{letter}) {letters[letter]}", lambda letter=letter: letter) for letter in letters]
        typed = [self.entry, self._button("Uncover", lambda: self.entry.value)]
        rows = [ipw.Box(row, layout=ipw.Layout(flex_flow="row wrap")) for row in (self.sliders, chosen, typed) if row]
        super().__init__([*rows, self.result, self.image])
        self.add_class("vae-control")
        if name in _live:
            close_whole(_live[name])
        _live[name] = self

    def commit(self, text=""):
        """Take a guess as if typed and entered, and uncover the result; an empty one uncovers it without a guess."""
        try:
            hit, words, drawn = self.judge(text.strip()) if text.strip() else (None, self.plain, self.picture)
        except ValueError as error:
            self.result.value = _status(str(error))
            return
        if self.name not in progress.read("predictions"):
            progress.remember("predictions", self.name, [self.kind, hit])
        if drawn is not None:
            self.image.value, self.image.layout.display = drawn.png(), None
        self.result.value = _status(f"{words}\n{self.said}".strip())

    def _hear(self, _, content, __):
        if content.get("event") == "submit":
            self.commit(self.entry.value)

    def _button(self, words, text):
        button = ipw.Button(description=words, layout=ipw.Layout(width="auto"))
        button.on_click(lambda _: self.commit(text()))
        return button

    def _sliders(self, x, low, high):
        ends = {"min": low, "max": high, "step": (high - low) / 100, "orientation": "vertical"}
        sliders = [ipw.FloatSlider(low, description=f"{v:g}", **ends) for v in x]

        def write(_):
            self.entry.value = " ".join(f"{slider.value:.4g}" for slider in sliders)

        for slider in sliders:
            slider.layout = ipw.Layout(height="180px", width="5em")
            slider.observe(write, names="value")
        return sliders

    def _ipython_display_(self, **kwargs):
        image = ""
        if self.picture is not None:
            source = b64encode(self.picture.png()).decode()
            image = f'<img alt="{html.escape(self.picture.alt)}" src="data:image/png;base64,{source}">'
        words = f"{self.plain}\n{self.said}".strip()
        folded = f"<details><summary>Show the result</summary>{_lines(words)}{image}</details>"
        view = {"model_id": self.model_id, "version_major": 2, "version_minor": 0}
        kinds = {"application/vnd.jupyter.widget-view+json": view, "text/html": folded, "text/plain": words}
        display(kinds, raw=True)


def _drawn(x, truth, guess, said, labels):
    fig, ax = picture("small", alt=said)
    ax.plot(x, truth, "o-", color=COLORS["data"], label="measured")
    if guess is not None:
        ax.plot(x, guess, "s--", color=COLORS["kl"], label="your guess")
        ax.legend()
    ax.set(**labels)
    return fig


def _number(text):
    try:
        value = float(text.strip().replace(",", ".").replace("−", "-").removesuffix("%"))
    except ValueError:
        value = math.nan
    if not abs(value) < 1e100:  # nor NaN; matplotlib cannot draw much more
        raise ValueError(
            f"“{text.strip()}” is not a number: type one such as 3.5, or nothing to go on without a guess."
        )
    return value


def _close(guess, truth):
    return abs(guess - truth) <= CLOSE * abs(truth)


def _how_far(guess, truth):
    if _close(guess, truth):
        return ": within a quarter."
    if guess * truth <= 0:
        return "."
    ratio = guess / truth
    return f": too large by a factor of {ratio:.3g}." if ratio > 1 else f": too small by a factor of {1 / ratio:.3g}."


def _lines(words):
    return "".join(f"<p>{html.escape(line)}</p>" for line in words.splitlines())


def _status(words):
    return f'<div role="status">{_lines(words)}</div>'
