"""Controls over latent spaces: sliders with a map, one cursor in several planes, interpolation, playback."""

import html
from statistics import NormalDist

import ipywidgets as ipw
import torch
from tqdm.auto import tqdm

from vae_helpers.latent import Gaussian, Panel
from vae_helpers.view.live import is_live
from vae_helpers.view.plots import SIDE, codes_map, image_grid, png_bytes, show_cursors, show_images
from vae_helpers.view.style import COLORS
from vae_helpers.view.widgets import Control, image_box, layer_box, option_slider, pad, slider, step_slider

_CURSOR = (
    '<svg viewBox="0 0 300 300"><circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="{color}" stroke="white" '
    'stroke-width="2"/></svg>'
)


def latent_sliders(decode, low, high, *, name, codes=None, labels=None, scale=8):
    """One slider per latent dimension, and the decoded image; with 2-D codes also their map, on which to drag a cursor.

    decode: (1, d) codes → (1, 784) pixels in [0, 1]. low, high: (d,) ends of the sliders, in latent units. codes:
    (n, 2) latent units; labels: (n,) their digit classes, or None. scale: by which the image is enlarged without a map.
    """
    ends = list(zip(torch.as_tensor(low).tolist(), torch.as_tensor(high).tolist(), strict=True))
    inputs = {
        f"z{i}": slider(f"z{_lowered(i)}", a, b, (a + b) / 2, step=(b - a) / 200) for i, (a, b) in enumerate(ends, 1)
    }
    if codes is not None:
        return _Planes(
            {"": _box_panel(decode, torch.tensor(ends, dtype=torch.float32), codes, labels)},
            inputs,
            _Units(),
            name=name,
        )

    def draw(**values):
        image = _decode(decode, torch.tensor([list(values.values())]))
        place = ", ".join(f"z{_lowered(i)} = {value:.2f}" for i, value in enumerate(values.values(), start=1))
        return png_bytes(image), f"Decoded at {place}; mean brightness {image.mean():.2f}."

    return Control(draw, name=name, width=scale * SIDE, **inputs)


def plane_sliders(panels, *, name):
    """One cursor over several latent planes, in quantiles of each model's own codes; see latent.Panel.

    panels: {title: Panel} with 2-D codes. Each panel shows its codes, the cursor on them, which can be dragged, and the
    image decoded there.
    """
    inputs = {f"u{i}": slider(f"z{_lowered(i)} quantile, %", 2.5, 97.5, 50, 0.5) for i in (1, 2)}
    return _Planes(panels, inputs, _Quantiles(), name=name)


def interpolation(models, x, *, name, scale=5):
    """Slide between two images of x: for each model the first image, the decoded point in between, and the second.

    models: {title: model} with encode and decode; x: (n, 784) pixels in [0, 1] to choose from, by click or by key.
    """
    return _Between(models, x, name=name, scale=scale)


def scrubber(draw, steps, *, name=None, label="epoch"):
    """A play button and a slider over the steps; draw(step) is called for all of them now, so each comes at once."""
    steps = list(steps)
    if not steps:
        raise ValueError("steps must hold one step or more, got none.")
    bar = tqdm(steps, desc="drawing the pictures", leave=False, disable=not is_live())
    frames = {step: (picture.png(), picture.alt) for step in bar for picture in [draw(step)]}
    step = option_slider(label, steps)
    step.index = len(steps) - 1
    return Control(lambda step: frames[step], name=name or draw.__qualname__, play="step", step=step)


class _Units:
    """Sliders in latent units: a place is what the sliders say."""

    def at(self, panel, values):
        return torch.tensor(values)

    def back(self, panel, z):
        return z.tolist()

    def sentence(self, values):
        return ""


class _Quantiles:
    """Sliders in per cent of each axis of a panel's Gaussian: the same values are another place in every plane."""

    def at(self, panel, values):
        return panel.gaussian.push(torch.tensor([NormalDist().inv_cdf(u / 100) for u in values]))

    def back(self, panel, z):
        eps = torch.linalg.solve(panel.gaussian.scale, z - panel.gaussian.mean)
        return [100 * NormalDist().cdf(value) for value in eps.tolist()]

    def sentence(self, values):
        return f"Quantiles {values[0]:.1f} % and {values[1]:.1f} %. "


class _Planes(Control):
    """Maps under one cursor, each with the image decoded there: small widgets change alone, so a move costs little."""

    def __init__(self, panels, inputs, units, *, name):
        self.panels, self.units = panels, units
        self.maps = {title: codes_map(panel) for title, panel in panels.items()}
        super().__init__(self._at, name=name, **inputs)

    def still(self):
        points = {title: self.units.at(panel, list(self.values.values())) for title, panel in self.panels.items()}
        return show_cursors(self.panels, points, alt=self.sentence).png()

    def _arrange(self):
        self.dots = [layer_box() for _ in self.panels]
        self.images = [image_box("100%", sharp=True) for _ in self.panels]
        blocks = []
        for (title, (png, _)), dot, image in zip(self.maps.items(), self.dots, self.images, strict=True):
            codes = image_box("100%").add_class("vae-figure")
            codes.value = png
            surface = pad(
                codes, dot, f"Latent plane {title}: drag, or use arrow keys", self._pointer(title), self._step
            )
            head = [ipw.HTML(f"<b>{html.escape(title)}</b>").add_class("vae-title")] if title else []
            blocks.append(ipw.Box([*head, surface, image]).add_class("vae-plane"))
        row = ipw.Box(blocks).add_class("vae-planes")
        return [*self.inputs.values(), row.add_class("vae-one") if len(blocks) == 1 else row]

    def _pointer(self, title):
        def point(x, y):
            z = torch.tensor(self.maps[title][1].back(x, y))
            self._go(self.units.back(self.panels[title], z))

        return point

    def _step(self, dx, dy):
        steps = [widget.step * d for widget, d in zip(self.inputs.values(), (dx, dy), strict=True)]
        self._go([value + step for value, step in zip(self.values.values(), steps, strict=True)])

    def _go(self, values):
        """Set the sliders to values, kept within their ends and on their steps."""
        goals = {}
        for (name, widget), value in zip(self.inputs.items(), values, strict=True):
            steps = round((min(max(value, widget.min), widget.max) - widget.min) / widget.step)
            goals[name] = min(widget.min + steps * widget.step, widget.max)
        self.set(**goals)

    def _at(self, **values):
        frames, places = [], []
        for title, panel in self.panels.items():
            z = self.units.at(panel, list(values.values()))
            z1, z2 = z.tolist()
            frames.append((self.maps[title][1](z1, z2), png_bytes(_decode(panel.model.decode, z[None]))))
            places.append(f"{title}: z = ({z1:.2f}, {z2:.2f})".removeprefix(": "))
        return frames, f"{self.units.sentence(list(values.values()))}{'; '.join(places)}."

    def _show(self, drawn):
        frames, self.sentence = drawn
        for (_, png), image in zip(frames, self.images, strict=True):
            image.value = png  # first, since a browser decodes it on the side
        for ((x, y), _), dot in zip(frames, self.dots, strict=True):
            dot.value = _CURSOR.format(x=300 * x, y=300 * y, color=COLORS["data"])


class _Between(Control):
    """Two strips of images to choose from, and for each model a row: first image, decoded point, second image."""

    def __init__(self, models, x, *, name, scale):
        self.models, self.x, self.scale, self.codes = models, x, scale, {}
        with torch.inference_mode():
            for title, model in models.items():
                code = model.encode(x)
                self.codes[title] = code[0] if isinstance(code, tuple) else code
        numbers = {end: step_slider(f"{end} image", 0, len(x) - 1, i) for i, end in enumerate(("first", "second"))}
        super().__init__(self._at, name=name, **numbers, share=slider("share", 0, 1, 0.5))

    def still(self):
        frames, sentence = self.drawn
        return show_images(*frames.values(), titles=list(frames), alt=sentence, title="first, in between, second").png()

    def _arrange(self):
        strip, parts = png_bytes(image_grid(self.x, len(self.x))), []
        self.frames = {end: layer_box() for end in ("first", "second")}
        for end, layer in self.frames.items():
            images = image_box(f"{min(len(self.x) * 44, 900)}px")
            images.value = strip
            label = f"{end} image: choose by click or arrow keys"
            parts += [self.inputs[end], pad(images, layer, label, self._pointer(end), self._stepper(end))]
        self.images = {title: image_box(f"{3 * self.scale * SIDE}px", sharp=True) for title in self.models}
        rows = [part for title in self.models for part in (ipw.HTML(html.escape(title)), self.images[title])]
        return [*parts, self.inputs["share"], ipw.Box(rows).add_class("vae-rows")]

    def _pointer(self, end):
        return lambda x, y: self.set(**{end: min(int(x * len(self.x)), len(self.x) - 1)})

    def _stepper(self, end):
        return lambda dx, dy: self.set(**{end: min(max(self.values[end] + int(dx + dy), 0), len(self.x) - 1)})

    def _at(self, first, second, share):
        rows = {}
        for title, model in self.models.items():
            z = torch.lerp(self.codes[title][first], self.codes[title][second], share)
            middle = _decode(model.decode, z[None]).reshape(1, -1)
            rows[title] = torch.cat([self.x[first : first + 1], middle, self.x[second : second + 1]])
        return rows, f"Image {first}, the point {share:.0%} of the way, image {second}; rows: {', '.join(self.models)}."

    def _show(self, drawn):
        rows, self.sentence = drawn
        for title, images in rows.items():
            self.images[title].value = png_bytes(image_grid(images, 3))
        for end, layer in self.frames.items():
            layer.value = _frame(self.values[end], len(self.x))


def _frame(chosen, n):
    """SVG over a strip of n images that frames the chosen one."""
    side = SIDE + 1
    return (
        f'<svg viewBox="0 0 {n * side + 1} {side + 1}"><rect x="{chosen * side + 1}" y="1" width="{side - 1}" '
        f'height="{side - 1}" fill="none" stroke="{COLORS["kl"]}" stroke-width="3"/></svg>'
    )


def _box_panel(decode, ends, codes, labels):
    """A Panel whose outlined region is the box of the sliders."""

    class Model:  # a Panel decodes through its model
        pass

    Model.decode = staticmethod(decode)
    half = NormalDist().inv_cdf(0.975)
    gaussian = Gaussian(ends.mean(dim=1), torch.diag((ends[:, 1] - ends[:, 0]) / 2 / half))
    return Panel(Model, gaussian, torch.as_tensor(codes), labels)


def _lowered(i):
    return str(i).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def _decode(decode, z):
    with torch.inference_mode():
        return decode(z).reshape(SIDE, SIDE)
