"""The look of every figure: colours with one meaning each, three sizes, and figures that carry their description.

Notebooks call `plt.style.use("vae_helpers.vae")` once; the sheet holds fonts, lines and layout.
"""

import io
from base64 import b64encode

from IPython.display import display
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

# Okabe–Ito colours, readable with colour-blind eyes; never the only sign: markers, line styles or labels go with them.
COLORS = {"data": "#000000", "recon": "#0072B2", "kl": "#D55E00", "prior": "#009E73", "total": "#777777"}
SIZES = {"small": (5.2, 3.4), "wide": (9.0, 3.6), "tall": (9.0, 8.6)}  # inches


class Picture(Figure):
    """A matplotlib Figure that carries alt text into the notebook and is shown once, where its cell ends."""

    alt = ""

    def keep_layout(self, places=None):
        """Fix the axes where the layout puts them, or at `places`, what an earlier drawing of the same figure returned.

        Half of the time of a drawing goes into finding the layout, so a figure that moves should find it once.
        """
        if places is None or len(places) != len(self.axes):
            self.draw_without_rendering()
            places = [ax.get_position(original=True) for ax in self.axes]
        self.set_layout_engine("none")
        for ax, place in zip(self.axes, places, strict=True):
            ax.set_position(place)
        return places

    def png(self, colors=None):
        """The picture as PNG bytes; with `colors`, reduced to that many, which makes stored notebooks small."""
        buffer = io.BytesIO()
        FigureCanvasAgg(self).print_png(buffer)  # savefig would draw twice
        if colors is None:
            return buffer.getvalue()
        small = Image.open(buffer).convert("RGB").quantize(colors, method=Image.Quantize.MEDIANCUT, dither=0)
        small.save(reduced := io.BytesIO(), format="png", optimize=True)
        return reduced.getvalue()

    def _ipython_display_(self):
        bundle = {"image/png": b64encode(self.png(colors=256)).decode(), "text/plain": self.alt}
        display(bundle, metadata={"image/png": {"alt": self.alt}}, raw=True)


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
