"""Live controls: named inputs around one function that draws. Core ipywidgets only, versions 7.7 to 8.1.

A control holds its inputs, a picture, and a sentence that says what the picture shows. It writes into widgets that stay
in place, so nothing flickers; an error in the drawing is shown beneath it; making a control again under the same name
closes the old one; where no kernel runs, a reader sees the picture and the sentence.
"""

import html
from base64 import b64encode
from statistics import NormalDist

import ipywidgets as ipw
import torch
from IPython.display import display

from vae_helpers.view.picture import Picture
from vae_helpers.view.plots import SIDE, codes_map, enlarged, png_bytes, show_cursors
from vae_helpers.view.style import COLORS

_live = {}  # name → control: a cell that runs again replaces what it made before


class Control(ipw.VBox):
    """Inputs around draw(**values), which returns a Picture, or a pair (PNG bytes, sentence).

    inputs: ipywidgets by the name of the argument that they feed. play: the name of an input in steps that a play
    button runs through. name: what identifies the control when its cell runs again (the name of `draw` by default).
    width: of the picture on the page, in pixels, where it is not its own. `values` reads the state, `set(...)` changes
    it, `sentence` says in words what the picture shows.
    """

    def __init__(self, draw, *, name=None, play=None, width=None, **inputs):
        self.draw, self.inputs, self.width, self.drawn, self.sentence = draw, inputs, width, None, ""
        self.text, self.error = ipw.HTML(), ipw.HTML()
        self.parts = [*inputs.values(), *self._view(), self.text, self.error, _sheet()]
        if play is not None:
            self.parts.insert(0, _play_button(self._input(play)))
        super().__init__(self.parts, layout=ipw.Layout(align_items="flex-start"))  # else the picture is stretched
        for widget in inputs.values():
            widget.observe(self._redraw, names="value")
        self._redraw()
        key = name or getattr(draw, "__qualname__", type(draw).__name__)
        if key.endswith("<lambda>"):
            key += str(list(inputs))
        if key in _live:
            _live[key].close(keep=inputs.values())
        _live[key] = self

    @property
    def values(self):
        """The present value of every input, by argument name."""
        return {name: widget.value for name, widget in self.inputs.items()}

    def set(self, **values):
        """Move inputs to the given values, as a hand would; ValueError for a name that is not an input."""
        for name, value in values.items():
            self._input(name).value = value

    def close(self, keep=()):
        """Unhook the callbacks and close every part, the inputs too but for those to keep."""
        for widget in self.inputs.values():
            widget.unobserve(self._redraw, names="value")
        for part in self.parts:
            if part not in keep:
                _close(part)
        self.inputs, self.parts = {}, []  # ipywidgets closes again when nothing refers to this
        self.layout.close()
        super().close()

    def still(self):
        """PNG bytes for readers without a kernel: the picture as it stands."""
        if isinstance(self.drawn, Picture):
            self._redraw()  # another call may have moved the figure since
            return self.drawn.png()
        return enlarged(self.image.value, self.width)

    def _view(self):
        self.image = _image(None if self.width is None else f"{self.width}px", sharp=self.width is not None)
        self.layer = _layer()
        return [_stack(self.image, self.layer)]

    def _show(self, drawn):
        if isinstance(drawn, Picture):
            self.image.value, self.layer.value = drawn.layers()
            self.sentence = drawn.alt
        elif not isinstance(drawn, tuple):
            raise ValueError(f"draw must return a Picture, or PNG bytes and a sentence, got {type(drawn).__name__}.")
        else:
            self.layer.value = ""
            self.image.value, self.sentence = drawn

    def _input(self, name):
        if name not in self.inputs:
            raise ValueError(f"{name!r} is not an input of this control; it has {', '.join(self.inputs)}.")
        return self.inputs[name]

    def _redraw(self, change=None):
        try:
            self.drawn = self.draw(**self.values)
            self._show(self.drawn)
        except Exception as error:  # nothing stands above a callback: what it raises would vanish
            self.error.value = f"<b>{html.escape(type(error).__name__)}</b>: {html.escape(str(error))}"
        else:
            self.text.value, self.error.value = html.escape(self.sentence), ""

    def _ipython_display_(self, **kwargs):
        bundle = {
            "application/vnd.jupyter.widget-view+json": {
                "model_id": self.model_id,
                "version_major": 2,
                "version_minor": 0,
            },
            "image/png": b64encode(self.still()).decode(),  # before the sentence, which it brings up to date
            "text/plain": self.sentence,
        }
        display(bundle, metadata={"image/png": {"alt": self.sentence}}, raw=True)


def slider(label, low, high, value, step=0.01):
    """A float slider that also moves with the arrow keys; low, high, value and step in the units of the label."""
    return ipw.FloatSlider(value=value, min=low, max=high, step=step, **_named(label))


def step_slider(label, low, high, value):
    """An integer slider, for epochs, steps and the numbers of images."""
    return ipw.IntSlider(value=value, min=low, max=high, **_named(label))


def choice(label, options):
    """A slider over options, or over (name, value) pairs; JupyterLab would take a dropdown's arrow keys for itself."""
    return ipw.SelectionSlider(options=options, **_named(label))


def _named(label):
    wide = ipw.Layout(width="min(100%, 34em)")
    return {"description": label, "layout": wide, "style": {"description_width": "8em"}}


def latent_sliders(decode, low, high, *, name, scale=8):
    """One slider per latent dimension, and the decoded image, enlarged `scale` times.

    decode: (1, d) codes → (1, 784) pixels in [0, 1]. low, high: (d,) ends of the sliders, in latent units.
    """

    def draw(**values):
        image = _decode(decode, torch.tensor([list(values.values())]))
        place = ", ".join(f"z{i} = {value:.2f}" for i, value in enumerate(values.values(), start=1))
        return png_bytes(image), f"Decoded at {place}; mean brightness {image.mean():.2f}."

    ends = enumerate(zip(torch.as_tensor(low).tolist(), torch.as_tensor(high).tolist(), strict=True), start=1)
    inputs = {f"z{i}": slider(f"z{i}", a, b, (a + b) / 2, step=(b - a) / 200) for i, (a, b) in ends}
    return Control(draw, name=name, width=scale * SIDE, **inputs)


def plane_sliders(panels, *, name):
    """One cursor over several latent planes, in quantiles of each model's own codes; see latent.Panel.

    panels: {title: Panel} with 2-D codes. Each panel shows its codes, the cursor on them, and the image decoded there.
    """
    return _Planes(panels, name=name)


def interpolation(models, x, *, name, scale=5):
    """Slide between two images of x: for each model the first image, the decoded point in between, and the second.

    models: {title: model} with encode and decode; x: (n, 784) pixels in [0, 1] to choose from by number.
    """
    codes = {}
    with torch.inference_mode():
        for title, model in models.items():
            code = model.encode(x)
            codes[title] = code[0] if isinstance(code, tuple) else code

    def draw(first, second, share):
        rows = []
        for title, model in models.items():
            z = torch.lerp(codes[title][first], codes[title][second], share)
            ends = [x[first].reshape(SIDE, SIDE), x[second].reshape(SIDE, SIDE)]
            rows.append(torch.cat([ends[0], _decode(model.decode, z[None]), ends[1]], dim=1))
        where = f"Image {first}, the point {share:.0%} of the way, image {second}; rows: {', '.join(models)}."
        return png_bytes(torch.cat(rows)), where

    numbers = {end: step_slider(f"{end} image", 0, len(x) - 1, i) for i, end in enumerate(("first", "second"))}
    return Control(draw, name=name, width=3 * scale * SIDE, **numbers, share=slider("share", 0, 1, 0.5))


def scrubber(draw, steps, *, name=None, label="epoch"):
    """A play button and a slider over the steps; draw(step) is called for all of them now, so each comes at once."""
    steps = list(steps)
    if not steps:
        raise ValueError("steps must hold one step or more, got none.")
    frames = {step: (picture.png(), picture.alt) for step in steps for picture in [draw(step)]}
    inputs = {"step": choice(label, steps)}
    inputs["step"].index = len(steps) - 1
    return Control(lambda step: frames[step], name=name or draw.__qualname__, play="step", **inputs)


class _Planes(Control):
    """The view behind plane_sliders: small widgets that change alone, so that a move costs little."""

    def __init__(self, panels, *, name):
        self.panels = panels
        self.maps = {title: codes_map(panel) for title, panel in panels.items()}
        inputs = {u: slider(f"z{i} quantile, %", 2.5, 97.5, 50, 0.5) for i, u in ((1, "u1"), (2, "u2"))}
        super().__init__(self._at, name=name, **inputs)

    def still(self):
        return show_cursors(self.panels, self._points(**self.values), alt=self.sentence).png()

    def _view(self):
        self.dots = [_layer() for _ in self.panels]
        self.images = [_image("180px", sharp=True) for _ in self.panels]
        blocks = []
        for (title, (png, _)), dot, image in zip(self.maps.items(), self.dots, self.images, strict=True):
            codes, image.layout.margin = _image("300px"), "0 24px 0 0"
            codes.value = png
            row = ipw.HBox([_stack(codes, dot), image], layout=ipw.Layout(align_items="center"))
            blocks.append(ipw.VBox([ipw.HTML(f"<b>{html.escape(title)}</b>"), row]))
        return [ipw.HBox(blocks, layout=ipw.Layout(flex_flow="row wrap"))]

    def _points(self, u1, u2):
        eps = torch.tensor([NormalDist().inv_cdf(u / 100) for u in (u1, u2)])
        return {title: panel.gaussian.push(eps) for title, panel in self.panels.items()}

    def _at(self, u1, u2):
        frames, places = [], []
        for title, z in self._points(u1, u2).items():
            z1, z2 = z.tolist()
            image = _decode(self.panels[title].model.decode, z[None])
            frames.append((self.maps[title][1](z1, z2), png_bytes(image)))
            places.append(f"{title}: z = ({z1:.2f}, {z2:.2f})")
        return frames, f"Quantiles {u1:.1f} % and {u2:.1f} %. {'; '.join(places)}."

    def _show(self, drawn):
        frames, self.sentence = drawn
        for (_, png), image in zip(frames, self.images, strict=True):
            image.value = png  # first, since a browser decodes it on the side
        for ((x, y), _), dot in zip(frames, self.dots, strict=True):
            dot.value = _CURSOR.format(x=300 * x, y=300 * y, color=COLORS["data"])


_CURSOR = (
    '<svg viewBox="0 0 300 300"><circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="{color}" stroke="white" '
    'stroke-width="2"/></svg>'
)
_SHEET = """<style>
.vae-pixels { image-rendering: pixelated; }
.vae-layer .widget-html-content { line-height: 0; }
.vae-layer svg { width: 100%; height: auto; stroke-linejoin: round; stroke-linecap: butt; }
</style>"""


def _sheet():
    return ipw.HTML(_SHEET, layout=ipw.Layout(display="none"))


def _image(width, sharp=False):
    image = ipw.Image(format="png", layout=ipw.Layout(width=width, max_width="100%", margin="0", grid_area="1 / 1"))
    return image.add_class("vae-pixels") if sharp else image


def _layer():
    """What lies over a picture: SVG of the same proportions."""
    return ipw.HTML(layout=ipw.Layout(width="100%", margin="0", grid_area="1 / 1")).add_class("vae-layer")


def _stack(below, above):
    columns = "minmax(0, max-content)"  # as wide as the picture, or as the page where that is narrower
    return ipw.GridBox([below, above], layout=ipw.Layout(grid_template_columns=columns, max_width="100%"))


def _decode(decode, z):
    with torch.inference_mode():
        return decode(z).reshape(SIDE, SIDE)


def _play_button(widget):
    if isinstance(widget, ipw.SelectionSlider):
        trait, low, high = "index", 0, len(widget.options) - 1
    elif isinstance(widget, ipw.IntSlider):
        trait, low, high = "value", widget.min, widget.max
    else:
        raise ValueError(f"play needs a step_slider or a choice to run through, got a {type(widget).__name__}.")
    play = ipw.Play(value=getattr(widget, trait), min=low, max=high, interval=400)
    play.linked = ipw.jslink((play, "value"), (widget, trait))
    return play


def _close(widget):
    """Close a widget with its children, layout, style and link, which ipywidgets would keep for ever."""
    helpers = [getattr(widget, name, None) for name in ("layout", "style", "linked")]
    for part in (*getattr(widget, "children", ()), *helpers):
        if isinstance(part, ipw.Widget):
            _close(part)
    widget.close()
