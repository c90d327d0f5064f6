"""Live controls: named inputs around one function that draws. Core ipywidgets only, versions 7.7 to 8.1.

A control holds its inputs, a picture, and a sentence that says what the picture shows. It writes into widgets that stay
in place, so nothing flickers; an error in the drawing is shown beneath it; making a control again under the same name
closes the old one; where no kernel runs, a reader sees the picture and the sentence, and where scripts may run the
frames that VAE_FRAMES=1 stored when the cell was executed. What ipywidgets leaves undone on the page (focus, names,
pointing at a picture) is in web/widgets.js, its look in web/widgets.css.
"""

import html
import math
import os
from base64 import b64encode

import ipywidgets as ipw
from IPython.display import display

from vae_helpers.view.block import read
from vae_helpers.view.frames import frames_block
from vae_helpers.view.live import is_live
from vae_helpers.view.picture import Picture
from vae_helpers.view.plots import enlarged

_live = {}  # name → control: a cell that runs again replaces what it made before


class Control(ipw.VBox):
    """Inputs around draw(**values), which returns a Picture, or a pair (PNG bytes, sentence).

    inputs: ipywidgets by the name of the argument that they feed. play: the name of an input in steps that a play
    button runs through. name: what identifies the control when its cell runs again (the name of `draw` by default;
    of two lambdas with the same inputs, give each a name, or the later closes the earlier).
    width: of the picture on the page, in pixels, where it is not its own. `values` reads the state, `set(...)` changes
    it, `sentence` says in words what the picture shows.
    """

    budget = 500_000  # bytes of its frames, where these are stored
    inputs, parts = {}, ()  # until it is made, for it may be closed before

    def __init__(self, draw, *, name=None, play=None, width=None, **inputs):
        self.draw, self.inputs, self.play, self.width, self.drawn, self.sentence = draw, inputs, play, width, None, ""
        self.text, self.error, self._still = ipw.HTML(), ipw.HTML(), False
        self.parts = [*self._arrange(), self.text, self.error, _sheet()]
        if play is not None:
            self.parts.insert(0, _play_button(self._input(play)))
        super().__init__(self.parts, layout=ipw.Layout(align_items="flex-start"))  # else the picture is stretched
        self.add_class("vae-control")
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
        """Move inputs to the given values, as a hand would, and draw once; ValueError for an unknown name or NaN."""
        widgets = {name: self._input(name) for name in values}
        if wrong := [name for name, value in values.items() if isinstance(value, float) and math.isnan(value)]:
            raise ValueError(f"{wrong[0]} must be a number within its slider, got nan.")
        self._still = True
        try:
            for name, value in values.items():
                widgets[name].value = value
        finally:
            self._still = False
        self._redraw()

    def close(self, keep=()):
        """Unhook the callbacks and close every part, the inputs too but for those to keep."""
        for widget in self.inputs.values():
            widget.unobserve(self._redraw, names="value")
        for part in self.parts:
            if part not in keep:
                close_whole(part)
        self.inputs, self.parts = {}, []  # ipywidgets closes again when nothing refers to this
        self.layout.close()
        super().close()

    def still(self):
        """PNG bytes for readers without a kernel: the picture as it stands."""
        if isinstance(self.drawn, Picture):
            self._redraw()  # another call may have moved the figure since
            return self.drawn.png()
        return enlarged(self.image.value, self.width)

    def shown(self):
        """What stands on the page now: PNG bytes, and the SVG over them or ""."""
        return bytes(self.image.value), self.layer.value

    def block(self):
        """HTML that moves without a kernel, to be stored after the still picture."""
        return frames_block(self)

    def _arrange(self):
        """The widgets from top to bottom, without the sentence: the inputs, then the picture."""
        self.image = image_box(None if self.width is None else f"{self.width}px", sharp=self.width is not None)
        self.layer = layer_box()
        kind = "vae-figure" if self.width is None else "vae-image"
        return [*self.inputs.values(), _stack(self.image, self.layer).add_class(kind)]

    def _show(self, drawn):
        if isinstance(drawn, Picture):
            self.image.value, self.layer.value = drawn.layers()
            self.sentence = drawn.alt
        elif not isinstance(drawn, tuple) or not isinstance(drawn[-1], str):
            found = f"a tuple that ends in {drawn[-1:]!r:.40}" if isinstance(drawn, tuple) else type(drawn).__name__
            raise ValueError(f"draw must return a Picture, or PNG bytes and a sentence, got {found}.")
        else:
            self.layer.value = ""
            self.image.value, self.sentence = drawn

    def _input(self, name):
        if name not in self.inputs:
            raise ValueError(f"{name!r} is not an input of this control; it has {', '.join(self.inputs)}.")
        return self.inputs[name]

    def _redraw(self, change=None):
        if self._still:
            return
        try:
            self.drawn = self.draw(**self.values)
            self._show(self.drawn)
        except Exception as error:  # nothing stands above a callback: what it raises would vanish
            self.error.value = f"<b>{html.escape(type(error).__name__)}</b>: {html.escape(str(error))}"
        else:
            self.text.value, self.error.value = html.escape(self.sentence), ""
        self.error.layout.display = None if self.error.value else "none"

    def _ipython_display_(self, **kwargs):
        if is_live():
            display({"text/html": f"<script>{read('widgets.js')}</script>"}, raw=True)
        view = {"model_id": self.model_id, "version_major": 2, "version_minor": 0}
        bundle = {
            "application/vnd.jupyter.widget-view+json": view,
            "image/png": b64encode(self.still()).decode(),  # before the sentence, which it brings up to date
            "text/plain": self.sentence,
        }
        display(bundle, metadata={"image/png": {"alt": self.sentence}}, raw=True)
        if os.environ.get("VAE_FRAMES"):
            display({"text/html": self.block()}, raw=True)


def slider(label, low, high, value, step=0.01):
    """A float slider that also moves with the arrow keys; low, high, value and step in the units of the label."""
    return ipw.FloatSlider(value=value, min=low, max=high, step=step, **_named(label))


def option_slider(label, options, index=0):
    """A slider over epochs, images or the names of options, or over (name, value) pairs; index: the first choice."""
    return ipw.SelectionSlider(options=options, index=index, **_named(label))


def choice(label, options):
    """Buttons side by side for two options, a slider over the names of more. (A dropdown would lose its arrow keys.)"""
    options = list(options)
    if len(options) > 2:
        return option_slider(label, options)
    named = _named(label)
    named["style"]["button_width"] = "auto"
    return ipw.ToggleButtons(options=options, **named)


def _named(label):
    wide = ipw.Layout(width="min(100%, 34em)")
    return {"description": label, "layout": wide, "style": {"description_width": "8em"}}


def pad(image, layer, label, point, step):
    """The image under its layer, as one widget that can be pointed at: by pointer, or by arrow keys with the focus.

    point(x, y): where, as fractions of width and height from the top left; step(dx, dy): arrow keys, in steps, up and
    right positive. label: what it is called by a screen reader.
    """
    said = ipw.Text(description=label, layout=ipw.Layout(display="none")).add_class("vae-said")

    def hear(change):
        kind, x, y, _ = change.new.split()
        (point if kind == "point" else step)(float(x), float(y))

    said.observe(hear, names="value")
    return _stack(image, layer, said).add_class("vae-pad")


def _sheet():
    return ipw.HTML(f"<style>{read('widgets.css')}</style>", layout=ipw.Layout(display="none"))


def image_box(width, sharp=False):
    """A widget for PNG bytes, `width` as in CSS; sharp: with square pixels."""
    image = ipw.Image(format="png", layout=ipw.Layout(width=width, max_width="100%", margin="0"))
    return image.add_class("vae-pixels") if sharp else image


def layer_box():
    """What lies over a picture: SVG of the same proportions."""
    return ipw.HTML(layout=ipw.Layout(width="100%", margin="0")).add_class("vae-layer")


def _stack(*parts):
    for part in parts:
        part.layout.grid_area = "1 / 1"
    columns = "minmax(0, max-content)"  # as wide as the picture, or as the page where that is narrower
    return ipw.GridBox(parts, layout=ipw.Layout(grid_template_columns=columns, max_width="100%"))


def _play_button(widget):
    if not isinstance(widget, ipw.SelectionSlider):
        raise ValueError(f"play needs an option_slider to run through, got a {type(widget).__name__}.")
    play = ipw.Play(value=widget.index, max=len(widget.options) - 1, interval=400)
    play.linked = ipw.jslink((play, "value"), (widget, "index"))
    return play


def close_whole(widget):
    """Close a widget with its children, layout, style and link, which ipywidgets would keep for ever."""
    helpers = [getattr(widget, name, None) for name in ("layout", "style", "linked")]
    for part in (*getattr(widget, "children", ()), *helpers):
        if isinstance(part, ipw.Widget):
            close_whole(part)
    widget.close()
