"""Controls over latent spaces: sliders with a map, one cursor in several planes, interpolation, playback."""

import html
import io
from base64 import b64encode
from contextlib import suppress
from statistics import NormalDist
from types import SimpleNamespace

import ipywidgets as ipw
import torch
from PIL import Image
from tqdm.auto import tqdm

from vae_helpers.latent import Gaussian, Panel
from vae_helpers.view.explorer import explore
from vae_helpers.view.live import is_live
from vae_helpers.view.plots import SIDE, codes_map, image_grid, png_bytes, show_cursors, show_images
from vae_helpers.view.style import COLORS
from vae_helpers.view.widgets import Control, image_box, layer_box, option_slider, pad, slider

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
        panel = _box_panel(decode, torch.tensor(ends, dtype=torch.float32), codes, labels)
        return _Planes({"": panel}, inputs, lambda _, z: torch.tensor(z), lambda _, z: z.tolist(), name=name)

    def draw(**values):
        image = _decode(decode, torch.tensor([list(values.values())]))
        place = ", ".join(f"z{_lowered(i)} = {value:.2f}" for i, value in enumerate(values.values(), start=1))
        return png_bytes(image), f"Decoded at {place}; mean brightness {image.mean():.2f}."

    return Control(draw, name=name, width=scale * SIDE, **inputs)


def plane_sliders(panels, *, name):
    """One cursor over several latent planes, in quantiles of each model's own codes; see latent.Panel.

    panels: {title: Panel} with 2-D codes. Each shows its codes, a cursor to drag, and the image decoded there.
    """
    inputs = {f"u{i}": slider(f"z{_lowered(i)} quantile, %", 2.5, 97.5, 50, 0.5) for i in (1, 2)}
    return _Planes(panels, inputs, _push, _pull, name=name)


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
    step = option_slider(label, steps, len(steps) - 1)
    return Control(lambda step: frames[step], name=name or draw.__qualname__, play="step", step=step)


def _push(panel, u):
    """The latent point at the quantiles u, in per cent of each axis of the panel's Gaussian."""
    return panel.gaussian.push(torch.tensor([NormalDist().inv_cdf(value / 100) for value in u]))


def _pull(panel, z):
    eps = torch.linalg.solve(panel.gaussian.scale, z - panel.gaussian.mean)
    return [100 * NormalDist().cdf(value) for value in eps.tolist()]


class _Planes(Control):
    """Maps under one cursor, each with the image decoded there: small widgets change alone, so a move costs little."""

    def __init__(self, panels, inputs, push, pull, *, name):
        self.panels, self.ground = panels, None
        self.push, self.pull = push, pull  # from slider values to a latent point, and back
        self.maps = {title: codes_map(panel) for title, panel in panels.items()}
        super().__init__(self._at, name=name, **inputs)

    def still(self):
        points = {title: self.push(panel, list(self.values.values())) for title, panel in self.panels.items()}
        return show_cursors(self.panels, points, alt=self.sentence).png()

    def shown(self):
        """The maps side by side, and over them each cursor and the image decoded there."""
        side, tile, gap = 300, 200, 20  # points
        wide, parts = side + tile + 2 * gap, []
        if self.ground is None:
            ground = Image.new("RGB", (2 * wide * len(self.panels), 2 * side), "white")
            for i, (png, *_) in enumerate(self.maps.values()):
                ground.paste(Image.open(io.BytesIO(png)).convert("RGB").resize((2 * side, 2 * side)), (2 * wide * i, 0))
            ground.save(out := io.BytesIO(), format="png")
            self.ground = out.getvalue()
        for i, (dot, image) in enumerate(zip(self.dots, self.images, strict=True)):
            parts.append(dot.value.replace("<svg", f'<svg x="{wide * i}" width="{side}" height="{side}"'))
            at = f'x="{wide * i + side + gap}" y="{(side - tile) // 2}" width="{tile}" height="{tile}"'
            parts.append(f'<image xlink:href="data:image/png;base64,{b64encode(image.value).decode()}" {at}/>')
        return self.ground, f'<svg viewBox="0 0 {wide * len(self.panels)} {side}">{"".join(parts)}</svg>'

    def block(self):
        if self.pull is _pull:  # quantiles: where the page can run the decoders, every place and not only some
            with suppress(ValueError):
                return explore(self.panels, start=[value / 100 for value in self.values.values()]).page()
        return super().block()

    def _arrange(self):
        self.dots = [layer_box() for _ in self.panels]
        self.images = [image_box("100%", sharp=True) for _ in self.panels]
        blocks = []
        for (title, (png, *_)), dot, image in zip(self.maps.items(), self.dots, self.images, strict=True):
            codes = image_box("100%").add_class("vae-figure")
            codes.value = png
            label = f"Latent plane {title}: drag, or use arrow keys"
            surface = pad(codes, dot, label, self._pointer(title), self._step)
            head = [ipw.HTML(f"<b>{html.escape(title)}</b>").add_class("vae-title")] if title else []
            blocks.append(ipw.Box([*head, surface, image]).add_class("vae-plane"))
        row = ipw.Box(blocks).add_class("vae-planes")
        return [*self.inputs.values(), row.add_class("vae-one") if len(blocks) == 1 else row]

    def _pointer(self, title):
        def point(x, y):
            self._go(self.pull(self.panels[title], torch.tensor(self.maps[title][2](x, y))))

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
            z = self.push(panel, list(values.values()))
            z1, z2 = z.tolist()
            frames.append((self.maps[title][1](z1, z2), png_bytes(_decode(panel.model.decode, z[None]))))
            places.append(f"{title}: z = ({z1:.2f}, {z2:.2f})".removeprefix(": "))
        quantiles = " and ".join(f"{value:.1f} %" for value in values.values()) if self.pull is _pull else ""
        return frames, f"{f'Quantiles {quantiles}. ' * bool(quantiles)}{'; '.join(places)}."

    def _show(self, drawn):
        frames, self.sentence = drawn
        for (_, png), image in zip(frames, self.images, strict=True):
            image.value = png  # first, since a browser decodes it on the side
        for ((x, y), _), dot in zip(frames, self.dots, strict=True):
            dot.value = _CURSOR.format(x=300 * x, y=300 * y, color=COLORS["data"])


class _Between(Control):
    """Two strips of images to choose from, and for each model a row: first image, decoded point, second image."""

    def __init__(self, models, x, *, name, scale):
        self.models, self.x, self.codes = models, x, {}
        with torch.inference_mode():
            for title, model in models.items():
                code = model.encode(x)
                self.codes[title] = code[0] if isinstance(code, tuple) else code
        numbers = {end: option_slider(f"{end} image", range(len(x)), i) for i, end in enumerate(("first", "second"))}
        super().__init__(self._at, name=name, width=3 * scale * SIDE, **numbers, share=slider("share", 0, 1, 0.5))

    def still(self):
        frames, sentence = self.drawn
        return show_images(*frames.values(), titles=list(frames), alt=sentence, title="first, in between, second").png()

    def shown(self):
        """The rows beneath one another, in 32 greys: half of the bytes, and off by 4 of 255 at most."""
        rows, _ = self.drawn
        grid = torch.cat([image_grid(images, 3) for images in rows.values()])
        return png_bytes((31 * grid).round() / 31), ""

    def _arrange(self):
        self.frames = {end: layer_box() for end in ("first", "second")}
        self.images = {title: image_box(f"{self.width}px", sharp=True) for title in self.models}
        rows = [part for title in self.models for part in (ipw.HTML(html.escape(title)), self.images[title])]
        strips = [part for end in self.frames for part in (self.inputs[end], self._strip(end))]
        return [*strips, self.inputs["share"], ipw.Box(rows).add_class("vae-rows")]

    def _strip(self, end):
        images, n = image_box(f"{min(len(self.x) * 44, 900)}px"), len(self.x)
        images.value = png_bytes(image_grid(self.x, n))

        def choose(number):
            self.set(**{end: min(max(int(number), 0), n - 1)})

        label = f"{end} image: choose by click or arrow keys"
        return pad(
            images, self.frames[end], label, lambda x, _: choose(x * n), lambda *d: choose(self.values[end] + sum(d))
        )

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
    half = NormalDist().inv_cdf(0.975)
    gaussian = Gaussian(ends.mean(dim=1), torch.diag((ends[:, 1] - ends[:, 0]) / 2 / half))
    return Panel(SimpleNamespace(decode=decode), gaussian, torch.as_tensor(codes), labels)


def _lowered(i):
    return str(i).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def _decode(decode, z):
    with torch.inference_mode():
        return decode(z).reshape(SIDE, SIDE)
