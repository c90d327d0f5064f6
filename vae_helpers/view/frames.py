"""Frames: what a control shows at every place of its inputs, in few bytes each, for readers without a kernel.

`frames` moves the inputs of a control as a hand would and keeps what then stands on the page. What stands still is kept
once, as PNG. Of the SVG over it only the numbers travel, in tenths of a point, as differences along a curve; images,
those in the SVG too, lie side by side on one sheet. web/frames.js plays them.
"""

import io
import itertools
import re
import zlib
from base64 import b64decode, b64encode

import numpy as np
from matplotlib import rc_context
from PIL import Image

from vae_helpers.view.block import block

SCRIPTS = ("numbers.js", "parts.js", "layers.js", "frames.js")
LIMIT, FEWEST = 1200, 7  # frames of one control; positions of a slider below which the inputs move one at a time

_TAG = re.compile(r"<[^>]*>|[^<]+")
_TOKEN = re.compile(r'style="[^"]*"|(?<![#\w.])-?\d+(?:\.\d+)?')  # in a tag: a style, or a number elsewhere
_DRAWN, _LONG = re.compile(r'\b(?:d|x|y)="[^"]*"'), re.compile(r"-?\d+\.\d\d+")  # in points
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_ID = re.compile(r'(?<=id=")[a-z]\w{6,}(?=")')
_IMAGE = re.compile(r'<image ([^>]*?)xlink:href="data:image/png;base64,([^"]*)"([^>]*?)/>', re.DOTALL)
_PLACE = re.compile(r'\b(transform|x|y|width|height)="([^"]*)"')


def frames_block(control):
    """The block of HTML that moves without a kernel, as `frames` has it; the control is left as it was."""
    return block("frames", SCRIPTS, frames(control), styles=("frames.css",))


def frames(control):
    """A dict for JSON that keeps to control.budget by coarser steps of the sliders, or by one input at a time.

    Raises RuntimeError where the control shows an error in place of a picture, ValueError where nothing fits.
    """
    before = control.values
    with rc_context({"svg.hashsalt": "vae", "path.simplify": False}):
        try:
            for alone, least in ((False, FEWEST), (True, FEWEST), (True, 2)):
                control.set(**before)
                if found := _fitting(control, alone, least):
                    return found
            raise ValueError(f"not even three pictures fit into {control.budget:,} bytes: draw less, or fewer points.")
        finally:
            control.set(**before)


def _fitting(control, alone, least):
    """The finest frames that keep to the budget, found in a few tries; None where a slider would get too few places."""
    every, plans = [_positions(widget) for widget in control.inputs.values()], {}
    most = max((len(each["values"]) for each in every if each["all"]), default=least)
    for k in range(most, min(least, most) - 1, -1):
        inputs = [_thinned(each, k) for each in every]
        counts = [(len(few["values"]), len(all_of["values"])) for few, all_of in zip(inputs, every, strict=True)]
        if all(few >= min(least, all_of) for few, all_of in counts):
            plans.setdefault(_count(inputs, alone), inputs)
    best, low, high, goal = None, 0, LIMIT + 1, LIMIT  # frames that fit, and that do not
    while between := [n for n in sorted(plans, reverse=True) if low < n < high]:
        n = next((n for n in between if n <= goal), between[-1])
        found = _pack(control, plans[n], alone, _bake(control, plans[n], alone))
        share = control.budget / len(repr(found))
        best, low, high = (found, n, high) if share >= 1 else (best, low, n)
        goal = 0.97 * share * n
        if 1 <= share < 1.6:
            break
    return best


def _count(inputs, alone):
    counts = [len(each["values"]) for each in inputs]
    return sum(counts) if alone else int(np.prod(counts))


def _thinned(each, most):
    """About so many places of a slider at most: its ends, where it stands, and between them round numbers, if any.

    The options of other inputs stay.
    """
    values, at = each["values"], each["values"][each["start"]]
    if not each["all"] or len(values) <= most:
        return each
    low, high = values[0], values[-1]
    for spacing in (c * 10.0**e for e in range(-6, 6) for c in (1, 2, 5)):
        if (high - low) / spacing <= most - 1:
            break
    found = [value for value in values if abs(value / spacing - round(value / spacing)) < 1e-6]
    if len(found) > 2:
        found = sorted({low, *found, at, high})
        return each | {"values": found, "start": found.index(at)}
    every = -(-(len(values) - 1) // (most - 1))
    return each | {"values": values[each["start"] % every :: every], "start": each["start"] // every}


def _positions(widget):
    """Where an input can stand: argument values, their names, the number of the present one; all: of a slider."""
    if not hasattr(widget, "step"):
        pairs = [option if isinstance(option, tuple) else (str(option), option) for option in widget.options]
        values = [value for _, value in pairs]
        names = {value: name for name, value in pairs}
        return {"widget": widget, "values": values, "names": names, "start": values.index(widget.value), "all": None}
    count = round((widget.max - widget.min) / widget.step)
    digits = min(len(f"{widget.step:.6g}".partition(".")[2]), 2)
    values = [round(widget.min + k * widget.step, 9) for k in range(count + 1)]
    start = round((widget.value - widget.min) / widget.step)
    names = {value: f"{value:.{digits}f}".replace("-", "−") for value in values}
    return {"widget": widget, "values": values, "names": names, "start": start, "all": values}


def _places(inputs, alone):
    """Every place to keep, as argument values in the order of the inputs."""
    if not alone:
        return list(itertools.product(*(each["values"] for each in inputs)))
    home = [each["values"][each["start"]] for each in inputs]
    return [(*home[:i], value, *home[i + 1 :]) for i, each in enumerate(inputs) for value in each["values"]]


def _bake(control, inputs, alone):
    """{place: (PNG bytes, SVG or "", sentence, values of all inputs)}, each as it stands after moving there."""
    places, home, shown = _places(inputs, alone), [each["values"][each["start"]] for each in inputs], {}
    for place in (places[-1], *places):  # what stands still is known once everything has moved
        if alone:
            control.set(**dict(zip(control.inputs, home, strict=True)))
            there = {name: v for name, v, start in zip(control.inputs, place, home, strict=True) if v != start}
        else:
            there = dict(zip(control.inputs, place, strict=True))
        control.set(**there)
        if control.error.value:
            raise RuntimeError(f"the control shows an error at {there}: {control.error.value}")
        shown[place] = (*control.shown(), control.sentence, tuple(control.values.values()))
    return shown


def _pack(control, inputs, alone, shown):
    places = _places(inputs, alone)
    grounds, layers, said, stood = zip(*(shown[place] for place in places), strict=True)
    result = {"alone": alone, "said": _packed("\n".join(line.replace("\n", " ") for line in said)), "inputs": []}
    for name, each in zip(control.inputs, inputs, strict=True):
        names = [each["names"][value] for value in each["values"]]
        result["inputs"].append({"name": name, "label": each["widget"].description, "names": names})
        result["inputs"][-1]["start"] = each["start"]
    result["moved"] = {k: _nearest(inputs, at) for k, at in enumerate(stood) if at != places[k]}
    if control.play is not None:
        result["play"] = list(control.inputs).index(control.play)
    sheet = _Sheet()
    if any(layers):
        result["ground"] = b64encode(_small(grounds[-1])).decode()
        result["layers"] = _layers([sheet.take_images(svg) for svg in layers])
    else:
        result["tiles"] = [sheet.place(png) for png in grounds]
        result["width"] = control.width
    return result | sheet.stored()


def _nearest(inputs, values):
    """The positions next to these values: one input may have moved others."""
    return [int(np.argmin(np.abs(np.subtract(each["values"], v)))) for each, v in zip(inputs, values, strict=True)]


class _Sheet:
    """Images side by side, each once, in shelves; coordinates in pixels."""

    WIDTH = 2000

    def __init__(self):
        self.places, self.images, self.left, self.top, self.bottom = {}, [], 0, 0, 0

    def place(self, png):
        """[left, top, width, height] of these PNG bytes on the sheet."""
        if png not in self.places:
            image = Image.open(io.BytesIO(png))
            if image.mode not in ("L", "P"):
                image = image.convert("RGB")
                red, green, blue = image.split()
                image = red if red.tobytes() == green.tobytes() == blue.tobytes() else _reduced(image)
            if self.left and self.left + image.width > self.WIDTH:
                self.left, self.top = 0, self.bottom
            self.places[png] = [self.left, self.top, *image.size]
            self.images.append((image, (self.left, self.top)))
            self.left, self.bottom = self.left + image.width, max(self.bottom, self.top + image.height)
        return self.places[png]

    def take_images(self, svg):
        """The SVG with each embedded image as a window on the sheet, which web/layers.js fills in."""

        def window(match):
            part = dict(_PLACE.findall(match[1] + match[3]))
            left, top, width, height = self.place(b64decode(match[2]))
            return (
                f'<g transform="{part.get("transform", "")}"><svg x="{part["x"]}" y="{part["y"]}" '
                f'width="{part["width"]}" height="{part["height"]}" viewBox="{left} {top} {width} {height}" '
                'preserveAspectRatio="none"><use href="#sheet"/></svg></g>'
            )

        return _IMAGE.sub(window, svg)

    def stored(self):
        if not self.images:
            return {}
        grey = all(image.mode == "L" for image, _ in self.images)
        size = (max(at[0] + image.width for image, at in self.images), self.bottom)
        sheet = Image.new("L" if grey else "RGB", size)
        for image, at in self.images:
            sheet.paste(image if grey else image.convert("RGB"), at)
        sheet.save(out := io.BytesIO(), format="webp", lossless=True, quality=100, method=4)
        return {"sheet": b64encode(out.getvalue()).decode(), "size": size}


def _layers(svgs):
    """By template: the frames that use it, their numbers and their texts. A template is what its frames share."""
    groups = {}
    for k, svg in enumerate(svgs):
        svg = re.sub(r"\s*\n\s*", " ", re.sub(r'<g id="[^"]*"', "<g", svg))
        svg = _DRAWN.sub(lambda match: _LONG.sub(lambda number: f"{float(number[0]):.1f}", match[0]), svg)
        for i, name in enumerate(dict.fromkeys(_ID.findall(svg))):
            svg = svg.replace(name, f"id_{i}_")
        template, tokens = _split(svg)
        groups.setdefault(template, []).append((k, tokens))
    return [_group(template.split("\x01"), rows) for template, rows in groups.items()]


def _split(svg):
    r"""The SVG with \x01 in place of each style, number and text, and the list of these."""
    template, tokens = [], []
    for part in _TAG.findall(svg):
        if part[0] == "<":
            template.append(_TOKEN.sub("\x01", part))
            tokens += _TOKEN.findall(part)
        else:
            template.append("\x01" if part.strip() else part)
            tokens += [part] if part.strip() else []
    return "".join(template), tokens


def _group(template, rows):
    r"""What differs between the frames of a template: \x01 stands for the next number, \x02 for the next text."""
    used, tokens = zip(*rows, strict=True)
    text, numbers, texts = template[0], [], []
    for column, after in zip(zip(*tokens, strict=True), template[1:], strict=True):
        if len(set(column)) == 1:
            text += column[0] + after
        elif text[-1] != ">" and all(_NUMBER.fullmatch(token) for token in column):
            numbers.append([round(float(token) * 10) for token in column])
            text += "\x01" + after
        else:
            texts.append(column)
            text += "\x02" + after
    steps = np.array(numbers, np.int64).reshape(len(numbers), len(used))
    steps[2:] -= steps[:-2].copy()  # x from x, y from y: neighbours on a curve are close
    if np.abs(steps).max(initial=0) > 32767:
        raise ValueError("a drawing reaches too far outside its picture to be stored: it must keep to ±1,638 points.")
    orders = {"rows": _bytes(steps), "frames": _bytes(steps.T)}
    order = min(orders, key=lambda name: len(orders[name]))
    return {
        "template": _packed(text),
        "used": list(used),
        "order": order,
        "numbers": orders[order],
        "texts": _packed("\n".join("\t".join(row) for row in zip(*texts, strict=True))),
    }


def _bytes(steps):
    data = np.ascontiguousarray(steps).astype("<i2").tobytes()
    return _packed(data[0::2] + data[1::2])


def _packed(data):
    data = data.encode() if isinstance(data, str) else data
    return b64encode(zlib.compress(data, 9)).decode()


def _small(png):
    image = _reduced(Image.open(io.BytesIO(png)).convert("RGB"))
    image.save(out := io.BytesIO(), format="png", optimize=True)
    return out.getvalue()


def _reduced(image):
    return image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=0)
