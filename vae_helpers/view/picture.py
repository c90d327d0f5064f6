"""Figures that carry their description, and draw only what moves when one of their parts moves."""

import io
import re
from base64 import b64encode
from functools import wraps

from IPython.display import display
from matplotlib import rcParams
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from vae_helpers.view.style import COLORS, SIZES

__all__ = ["COLORS", "Picture", "picture"]  # what a figure of a chapter needs


class Picture(Figure):
    """A matplotlib Figure that carries alt text into the notebook and is shown once, where its cell ends."""

    alt = ""
    _standing, _changed, _fresh, _ground = None, [], [], None  # what stands still, what changes, what a call drew
    _view, _frame, _containers = None, [], []  # the axes' limits when the ground was drawn; the axes; their containers

    def moving(self, draw):
        """Decorator for draw(*axes, …), which adds what moves to these axes: each call takes away what the last drew.

        What is on the axes by now, their limits too, stands still and is drawn once, so that a move costs little; what
        draw changes of it (a title, say) moves too. What moves lies on top. draw names its colours and returns the
        sentence for `alt`. The decorated function is called without the axes and returns this Picture.
        Raises ValueError for a draw that says nothing, or that clears or adds axes.
        """
        self._wipe()
        for ax in self.axes:
            if ax.has_data():
                ax.axis(ax.axis())  # settled now, and kept
        self._frame = self._axes_as_they_are()
        self._containers = [len(ax.containers) for ax in self.axes]
        self.draw_without_rendering()
        self._standing, self._changed, self._fresh, self._ground = self._parts(), [], [], None

        @wraps(draw)
        def at(*args, **kwargs):
            self._wipe()
            try:
                self.alt = _sentence(draw(*self.axes, *args, **kwargs), f"{draw.__name__} must return")
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
            seen = [part for part in self._moving_parts() if part.get_visible()]
            for part in seen:
                part.set_visible(False)
            self._ground = self.png()
            for part in seen:
                part.set_visible(True)
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

    def _wipe(self):
        """Take away what the last call drew."""
        while self._fresh:
            self._fresh.pop().remove()
        for ax, count in zip(self.axes, self._containers, strict=False):
            del ax.containers[count:]  # bars and their like are listed a second time

    def _axes_as_they_are(self):
        return [(ax, ax.patch) for ax in self.axes]

    def _parts(self):
        return [part for owner in (self, *self.axes) for part in owner.get_children() if part not in self.axes]

    def _moving_parts(self):
        return sorted(self._changed + self._fresh, key=lambda part: part.zorder)

    def _sort_parts(self):
        """After a call: what is new, and what of the standing parts it changed, which leaves the ground for good."""
        if self._axes_as_they_are() != self._frame:
            self._fresh = []
            raise ValueError("the drawing function may not clear or add axes: make them before @fig.moving.")
        parts = self._parts()
        self._fresh = [part for part in parts if part not in self._standing and part not in self._changed]
        self._changed = [part for part in self._changed if part in parts]
        changed = [part for part in self._standing if part.stale or part not in parts]
        view = [
            (*ax.get_xlim(), *ax.get_ylim(), ax.get_xscale(), ax.get_yscale(), ax.get_visible()) for ax in self.axes
        ]
        if changed or view != self._view:
            self._standing = [part for part in self._standing if part not in changed]
            self._changed += [part for part in changed if part in parts]
            self._view, self._ground = view, None
            self.keep_layout()

    def _svg(self):
        parts = self._moving_parts()
        math = any("$" in part.get_text() for part in parts if isinstance(part, Text))  # needs glyphs of its own
        dpi, kept = self.dpi, rcParams["svg.fonttype"]
        try:
            self.dpi = 72  # SVG counts in points
            rcParams["svg.fonttype"] = "path" if math else "none"  # none: as text, which is four times as fast
            renderer = RendererSVG(*self.bbox.size, text := io.StringIO(), metadata=dict.fromkeys(_METADATA))
            for part in parts:
                part.draw(renderer)
            renderer.finalize()
        finally:
            self.dpi, rcParams["svg.fonttype"] = dpi, kept
        return re.sub(r".*?(<svg.*?>).*?</defs>", r"\1", text.getvalue(), count=1, flags=re.DOTALL)

    def _ipython_display_(self):
        bundle = {"image/png": b64encode(self.png(colors=256)).decode(), "text/plain": self.alt}
        display(bundle, metadata={"image/png": {"alt": self.alt}}, raw=True)


_METADATA = ("Creator", "Date", "Format", "Type")  # left out of every SVG


def picture(size, rows=1, columns=1, *, alt, **subplots):
    """A Picture and its axes; size is "small" or "wide".

    alt: what someone who cannot see the figure should know. Further arguments go to Figure.subplots.
    Raises ValueError for another size or a missing description.
    """
    if size not in SIZES:
        raise ValueError(f"size must be one of {', '.join(SIZES)}, got {size!r}.")
    fig = Picture(figsize=SIZES[size], layout="constrained")
    fig.alt = _sentence(alt, "alt must be")
    return fig, fig.subplots(rows, columns, **subplots)


def _sentence(said, must):
    if not isinstance(said, str) or not said.strip():
        raise ValueError(f"{must} a sentence that describes the figure, got {said!r}.")
    return said
