"""The look of every figure: colours with one meaning each, three sizes, and figures that carry their description.

Notebooks call `plt.style.use("vae_helpers.vae")` once; the sheet holds fonts, lines and layout.
"""

import io
import re
from base64 import b64encode
from functools import wraps

from IPython.display import display
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure
from PIL import Image

# Okabe–Ito colours, readable with colour-blind eyes; never the only sign: markers, line styles or labels go with them.
COLORS = {"data": "#000000", "recon": "#0072B2", "kl": "#D55E00", "prior": "#009E73", "total": "#777777"}
SIZES = {"small": (5.2, 3.4), "wide": (9.0, 3.6), "tall": (9.0, 8.6)}  # inches


class Picture(Figure):
    """A matplotlib Figure that carries alt text into the notebook and is shown once, where its cell ends."""

    alt = ""
    _standing, _changed, _fresh, _ground = None, [], [], None  # what stands still, what changes, what a call drew
    _limits = None  # of the axes, when the ground was drawn

    def moving(self, draw):
        """Decorator for draw(*axes, …), which adds what moves to these axes: each call takes away what the last drew.

        What is on the axes by now, their limits too, stands still and is drawn once, so that a move costs little; what
        draw changes of it (a title, say) moves too. draw names its colours and returns the sentence for `alt`. The
        decorated function is called without the axes and returns this Picture.
        """
        for ax in self.axes:
            ax.autoscale(False)
        self.draw_without_rendering()
        self._standing, self._changed, self._fresh, self._ground = self._parts(), [], [], None

        @wraps(draw)
        def at(*args, **kwargs):
            while self._fresh:
                self._fresh.pop().remove()
            try:
                self.alt = draw(*self.axes, *args, **kwargs)
            finally:
                self._sort_parts()
            return self

        return at

    def keep_layout(self):
        """Fix the axes where the layout puts them: half of the time of a drawing goes into finding their places."""
        self.draw_without_rendering()
        places = [ax.get_position(original=True) for ax in self.axes]
        self.set_layout_engine("none")
        for ax, place in zip(self.axes, places, strict=True):
            ax.set_position(place)

    def layers(self):
        """What stands still as PNG bytes, and over it what moves as SVG: after a move only the second differs."""
        if self._standing is None:
            return self.png(), ""
        if self._ground is None:
            for part in self._moving_parts():
                part.set_animated(True)  # which Agg leaves out
            self._ground = self.png()
            for part in self._moving_parts():
                part.set_animated(False)
        return self._ground, self._svg()

    def png(self, colors=None):
        """The picture as PNG bytes; with `colors`, reduced to that many, which makes stored notebooks small."""
        buffer = io.BytesIO()
        FigureCanvasAgg(self).print_png(buffer)  # savefig would draw twice
        if colors is None:
            return buffer.getvalue()
        small = Image.open(buffer).convert("RGB").quantize(colors, method=Image.Quantize.MEDIANCUT, dither=0)
        small.save(reduced := io.BytesIO(), format="png", optimize=True)
        return reduced.getvalue()

    def _parts(self):
        return [part for owner in (self, *self.axes) for part in owner.get_children() if part not in self.axes]

    def _moving_parts(self):
        return sorted(self._changed + self._fresh, key=lambda part: part.zorder)

    def _sort_parts(self):
        """After a call: what is new, and what of the standing parts it changed, which leaves the ground for good."""
        self._fresh = [part for part in self._parts() if part not in self._standing and part not in self._changed]
        changed = [part for part in self._standing if part.stale]
        limits = [(*ax.get_xlim(), *ax.get_ylim()) for ax in self.axes]
        if changed or limits != self._limits:
            self._standing = [part for part in self._standing if part not in changed]
            self._changed, self._limits, self._ground = self._changed + changed, limits, None
            self.keep_layout()

    def _svg(self):
        dpi, self.dpi = self.dpi, 72  # SVG counts in points
        renderer = RendererSVG(*self.bbox.size, text := io.StringIO(), metadata=dict.fromkeys(_METADATA))
        for part in self._moving_parts():
            part.draw(renderer)
        renderer.finalize()
        self.dpi = dpi
        return re.sub(r".*?(<svg.*?>).*?</defs>", r"\1", text.getvalue(), count=1, flags=re.DOTALL)

    def _ipython_display_(self):
        bundle = {"image/png": b64encode(self.png(colors=256)).decode(), "text/plain": self.alt}
        display(bundle, metadata={"image/png": {"alt": self.alt}}, raw=True)


_METADATA = ("Creator", "Date", "Format", "Type")  # left out of every SVG


def picture(size, rows=1, columns=1, *, alt, **subplots):
    """A Picture and its axes; size is "small", "wide" or "tall".

    alt: what someone who cannot see the figure should know. Further arguments go to Figure.subplots.
    Raises ValueError for another size or a missing description.
    """
    if size not in SIZES:
        raise ValueError(f"size must be one of {', '.join(SIZES)}, got {size!r}.")
    if not alt:
        raise ValueError("alt must describe the figure in a sentence, got nothing.")
    fig = Picture(figsize=SIZES[size], layout="constrained")
    fig.alt = alt
    return fig, fig.subplots(rows, columns, **subplots)
