"""Live controls: named sliders around one function that draws. Core ipywidgets only, versions 7.7 to 8.1.

A control holds sliders, a picture and a sentence that says what the picture shows. It draws into one Image widget, so
nothing flickers; an error in the drawing is shown beneath it; making it again under the same name closes the old one;
where no kernel runs, its picture and sentence are what a reader sees.
"""

import html
from base64 import b64encode

import ipywidgets as ipw
import torch
from IPython.display import display

from vae_helpers.plots import SIDE, png_bytes

_live = {}  # name → control: a cell that runs again replaces what it made before


class Control(ipw.VBox):
    """Sliders around draw(**values), which returns a Picture, or (PNG bytes, sentence).

    inputs: ipywidgets by the name of the argument they feed. `values` reads the state and `set(...)` changes it.
    name: what identifies the control when its cell runs again; the name of `draw` by default.
    """

    def __init__(self, draw, *, name=None, alt="", width=None, **inputs):
        self.draw, self.inputs, self.alt = draw, inputs, alt
        self.image = ipw.Image(format="png")
        if width:
            self.image.layout.width = f"{width}px"
        self.image.layout.max_width = "100%"
        self.image.layout.object_fit = "contain"
        self.text, self.error = ipw.HTML(), ipw.HTML()
        super().__init__([*inputs.values(), self.image, self.text, self.error])
        for widget in inputs.values():
            widget.observe(self._redraw, names="value")
        self._redraw()
        key = name or getattr(draw, "__qualname__", "control")
        if key in _live:
            _live[key].close()
        _live[key] = self

    @property
    def values(self):
        """The present value of every input, by argument name."""
        return {name: widget.value for name, widget in self.inputs.items()}

    def set(self, **values):
        """Move inputs to the given values, as a hand would; ValueError for a name that is not an input."""
        for name, value in values.items():
            if name not in self.inputs:
                raise ValueError(f"{name!r} is not an input of this control; it has {', '.join(self.inputs)}.")
            self.inputs[name].value = value

    def close(self):
        """Unhook the callbacks and close every part, inputs included."""
        for widget in self.inputs.values():
            widget.unobserve_all("value")
        for part in (*self.inputs.values(), self.image, self.text, self.error):
            part.close()
        super().close()

    def _redraw(self, change=None):
        try:
            drawn = self.draw(**self.values)
            png, sentence = drawn if isinstance(drawn, tuple) else (drawn.png(), drawn.alt)
        except Exception as error:  # a callback has no one above it: what it raises would vanish
            self.error.value = f"<b>{html.escape(type(error).__name__)}</b>: {html.escape(str(error))}"
            return
        self.image.value, self.sentence = png, sentence
        self.text.value, self.error.value = html.escape(sentence), ""

    def _ipython_display_(self, **kwargs):
        view = {"model_id": self.model_id, "version_major": 2, "version_minor": 0}
        bundle = {
            "application/vnd.jupyter.widget-view+json": view,
            "image/png": b64encode(self.image.value).decode(),
            "text/plain": self.sentence,
        }
        display(bundle, metadata={"image/png": {"alt": self.alt or self.sentence}}, raw=True)


def slider(label, low, high, value, step=0.01, readout_format=".2f"):
    """A float slider that can be moved with the arrow keys; label, range, start and step in the units of the label."""
    return ipw.FloatSlider(
        value=value,
        min=low,
        max=high,
        step=step,
        description=label,
        readout_format=readout_format,
        continuous_update=True,
        style={"description_width": "8em"},
        layout=ipw.Layout(width="min(100%, 30em)"),
    )


def latent_sliders(decode, low, high, *, name, scale=8):
    """One slider per latent dimension, and the decoded image, enlarged `scale` times.

    decode: (1, d) codes → (1, 784) pixels in [0, 1]. low, high: (d,) ends of the sliders, in latent units.
    """

    def draw(**values):
        z = torch.tensor([list(values.values())], dtype=torch.float32)
        with torch.inference_mode():
            image = decode(z).reshape(SIDE, SIDE)
        place = ", ".join(f"z{i} = {value:.2f}" for i, value in enumerate(values.values(), start=1))
        return png_bytes(image, scale), f"Decoded image at {place}; mean brightness {image.mean():.2f}."

    ends = list(zip(torch.as_tensor(low).tolist(), torch.as_tensor(high).tolist(), strict=True))
    inputs = {f"z{i}": slider(f"z{i}", a, b, (a + b) / 2, step=(b - a) / 200) for i, (a, b) in enumerate(ends, start=1)}
    return Control(draw, name=name, **inputs)
