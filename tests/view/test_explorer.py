"""The explorer's block as text: what is in it, what is never in it, what it refuses. The browser has its own file."""

import base64
import json
import re
from importlib import resources

import numpy as np
import pytest
import torch
from torch import nn

from vae_helpers.latent import Gaussian, Panel, standard_normal
from vae_helpers.models import VAE, Autoencoder, seeded
from vae_helpers.view import frames, playground
from vae_helpers.view.explorer import SCRIPTS, View, explore
from vae_helpers.view.page import save
from vae_helpers.view.style import COLORS
from vae_helpers.weights import shipped_pair

WEIGHTS = resources.files("vae_helpers").joinpath("weights")
WEB = resources.files("vae_helpers").joinpath("view", "web")


def make_panel(seed=0, n=300, *, spread=1.0, hidden=(16, 8), **replaced):
    with seeded(seed):
        codes = spread * torch.randn(n, 2) + torch.tensor([0.5, -2.0])
        labels = torch.randint(0, 10, (n,))
    gaussian = Gaussian(torch.tensor([0.5, -2.0]), spread * torch.tensor([[1.0, 0.0], [0.4, 0.9]]))
    parts = {"model": VAE(hidden=hidden, seed=seed), "gaussian": gaussian, "codes": codes, "labels": labels}
    return Panel(**{**parts, **replaced})


def payload(view):
    """The data that the script is started with."""
    call = re.search(r'begin\("\[data-vae-explorer=.*?\]", (\{.*\})\);\n\}\)\(\);</script>', view.html)
    return json.loads(call[1])


def numbers(text, kind):
    return np.frombuffer(base64.b64decode(text), kind)


@pytest.fixture(scope="module")
def view():
    return explore({"one": make_panel(), "two": make_panel(1, spread=20.0)})


def test_weights_survive_as_half_precision(view):
    panel = make_panel()
    sent = numbers(payload(view)["panels"][0]["weights"], "<f2").astype(np.float32)
    own = torch.cat([p.detach().reshape(-1) for p in panel.model.decoder.parameters()])
    assert payload(view)["panels"][0]["sizes"] == [2, 8, 16, 784]
    assert np.array_equal(sent, own.half().float().numpy())
    assert np.abs(sent - own.numpy()).max() < 2.0**-11  # half of the last place, for numbers below 1


def test_codes_survive_to_a_part_in_30000(view):
    sent = payload(view)["panels"][1]
    codes = make_panel(1, spread=20.0).codes
    back = numbers(sent["codes"], "<i2").reshape(-1, 2) * sent["unit"]
    assert np.abs(back - codes.numpy()).max() <= sent["unit"] * 0.51
    assert numbers(sent["labels"], "u1").tolist() == make_panel(1, spread=20.0).labels.tolist()


def test_at_most_2000_codes_are_drawn_and_the_note_counts_those_outside():
    sent = payload(explore({"many": make_panel(n=2500)}))["panels"][0]
    points = numbers(sent["codes"], "<i2").reshape(-1, 2) * sent["unit"]
    assert len(points) == 2000
    ranges = np.array(sent["view"])
    middle, half = ranges.mean(axis=1), np.ptp(ranges, axis=1).max() / 2
    assert f"; {(np.abs(points - middle) > half).any(axis=1).sum()} of 2000 lie outside this view." in sent["note"]


@pytest.mark.parametrize("u", [(0.5, 0.5), (0.025, 0.975), (0.31, 0.8)])
def test_the_map_from_quantiles_is_that_of_the_gaussian(view, u):
    panel, sent = make_panel(), payload(view)["panels"][0]
    eps = torch.special.ndtri(torch.tensor(u, dtype=torch.float64))
    z = torch.tensor(sent["mean"]) + torch.tensor(sent["scale"]).double() @ eps
    torch.testing.assert_close(z.float(), panel.gaussian.at(u), atol=1e-5, rtol=1e-5)


def test_medians_are_those_of_the_classes(view):
    panel = make_panel()
    for digit, x, y in payload(view)["panels"][0]["medians"]:
        want = np.median(panel.codes[panel.labels == digit].numpy(), axis=0)
        assert np.allclose((x, y), want, atol=1e-4)


def test_same_input_gives_the_same_bytes(view):
    again = explore({"one": make_panel(), "two": make_panel(1, spread=20.0)})
    assert again.html == view.html
    other = explore({"one": make_panel(), "three": make_panel(1, spread=20.0)})
    assert other.html[:60] != view.html[:60]  # the identifier comes from the content


def test_nothing_points_to_a_network(view):
    text = re.sub(r"[A-Za-z0-9+/=]{150,}", "", view.html)  # base64, in which any letters can meet
    assert all(WEB.joinpath(name).read_text(encoding="utf-8") in text for name in SCRIPTS)
    assert not re.search(
        r"https?:|//[a-z]|\bfetch\(|XMLHttpRequest|\bimport\b|WebSocket|<iframe|<link|eval\(|url\(", text
    )
    assert re.findall(r'\b(?:src|href)="(.{10})', view.html) == ["data:image"]


def test_markup_in_a_title_stays_text(tmp_path):
    title = "</script><img src=x onerror=alert(1)><!-- & \" ' \u2028 \u2029"
    view = explore({title: make_panel()})
    assert view.html.count("</script") == view.html.count("<script") == 1 and "<!--" not in view.html
    assert "\u2028" not in view.html.split("<script>")[1] and "<img src=x" not in view.html
    assert payload(view)["panels"][0]["title"] == title
    save(tmp_path / "page.html", view, title=title)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<img") == 1 and page.count("<script") == 1 and page.lower().count("<!") == 1


def test_a_cell_shows_the_still_and_then_the_block(view):
    (bundle, metadata), (block, nothing) = view.outputs()
    assert set(bundle) == {"image/png", "text/plain"} and set(block) == {"text/html"} and not nothing
    assert "data-vae-explorer" in block["text/html"] and "<img" not in block["text/html"]
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == bundle["text/plain"] == view.alt
    assert "one: codes span" in view.alt and "two: codes span" in view.alt and "cursor at z = (0.50, -2.00)" in view.alt


def test_colours_are_those_of_the_book_and_the_axes_have_one_spelling(view):
    style = payload(view)["style"]
    assert f"--focus: {COLORS['recon']};" in style and f"--prior: {COLORS['prior']};" in style
    assert not re.search(r"\bz[12]\b", re.sub(r"[A-Za-z0-9+/=]{150,}", "", view.html))


def contrast(one, other):
    """WCAG's ratio of two colours #rrggbb, 1 to 21."""
    channels = np.array([[int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)] for color in (one, other)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    low, high = sorted(linear @ [0.2126, 0.7152, 0.0722])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["box", "dark"])
def test_colours_can_be_read(theme):  # axe judges no text of one character, and no canvas
    rule = re.search(rf"^\.{theme} {{\n(.*?)}}", WEB.joinpath("base.css").read_text("utf-8"), re.M | re.S)[1]
    colors = {name: value + value[1:] * (len(value) == 4) for name, value in re.findall(r"--(\w+): (#\w+);", rule)}
    assert all(contrast(colors[name], colors["paper"]) >= 4.5 for name in ("ink", "soft", "first", "second"))
    assert all(contrast(colors[name], colors["paper"]) >= 3 for name in ("line", "focus", "prior"))


def test_any_mlp_decoder_without_labels():
    view = explore({"plain": make_panel(model=Autoencoder(hidden=(12,)), labels=None)}, start=(0.1, 0.9))
    sent = payload(view)
    assert sent["panels"][0]["sizes"] == [2, 12, 784] and sent["start"] == [0.1, 0.9]
    assert sent["panels"][0]["labels"] == "" and sent["panels"][0]["medians"] == [] and sent["path"] == []


def test_a_path_travels_as_it_is_given():
    corners = [(0.1, 0.2), (0.5, 0.975)]
    for path in (corners, torch.tensor(corners), np.array(corners)):
        assert payload(explore({"it": make_panel()}, path=path))["path"] == [[0.1, 0.2], [0.5, 0.975]]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ([(0.5, 0.5), (0.5, 1.0)], "path[1] must be two quantile coordinates from 0.025 to 0.975, got (0.5, 1.0)"),
        ([(0.5, 0.5), (0.5,)], "path[1] must be two quantile coordinates"),
        ([(0.5, 0.5)], "got one place: give two or more"),
    ],
)
def test_a_path_that_leads_nowhere(path, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        explore({"it": make_panel()}, path=path)


def _spoilt(value):
    model = VAE(hidden=(8,))
    with torch.no_grad():
        model.decoder[0].weight[0, 0] = value
    return model


class _WithTanh(nn.Module):
    def __init__(self):
        super().__init__()
        self.decoder = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 784))


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"model": VAE(latent_dim=3, hidden=(8,))}, "must lead from 2 to 784 numbers, got [3, 8, 784]"),
        ({"model": _WithTanh()}, "must be Linear layers with SiLU between them, got Linear, Tanh, Linear"),
        ({"model": object()}, "got no decoder"),
        ({"model": _spoilt(float("nan"))}, "a weight is not finite"),
        ({"model": _spoilt(70000.0)}, "too large for half precision"),
        ({"codes": torch.zeros(300, 3)}, "codes must be finite and of shape (n, 2), got (300, 3)"),
        ({"codes": torch.full((300, 2), torch.inf)}, "codes must be finite"),
        ({"labels": torch.zeros(299, dtype=torch.int64)}, "labels must be 300 integers"),
        ({"labels": torch.full((300,), 10)}, "labels must be 300 integers in 0 … 9"),
        ({"gaussian": standard_normal(3)}, "the Gaussian must be 2-D, got 3 dimensions"),
        ({"gaussian": Gaussian(torch.zeros(2), torch.zeros(2, 2))}, "an invertible scale"),
    ],
)
def test_bad_panels_are_refused_in_one_sentence(replaced, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        explore({"it": make_panel(**replaced)})
    assert str(caught.value).startswith("panel 'it': ") and str(caught.value).count(". ") == 0


@pytest.mark.parametrize("panels", [{}, [], None])
def test_no_panels(panels):
    with pytest.raises(ValueError, match="at least one panel"):
        explore(panels)


@pytest.mark.parametrize("start", [(0.5, 1.0), (0.5,), (float("nan"), 0.5)])
def test_a_start_outside_the_box(start):
    with pytest.raises(ValueError, match=r"from 0\.025 to 0\.975"):
        explore({"it": make_panel()}, start=start)


def test_a_page_names_itself_and_its_language(tmp_path):
    path, view = tmp_path / "Übung 中.html", View({}, b"", "alt")
    save(path, view, title="A & B")
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and '<html lang="en">' in page and "<title>A &amp; B</title>" in page
    assert 'name="viewport"' in page and "<h1" in page and "<main" in page


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(OSError, match=r"nowhere.page\.html"):
        save(tmp_path / "nowhere" / "page.html", View({}, b"", ""))


def test_the_shipped_pair_needs_no_data_and_fits_the_budgets(monkeypatch):
    monkeypatch.setattr("vae_helpers.data.load_digit_images", None)
    pair = shipped_pair()
    assert list(pair) == ["without KL", "with KL"]
    html = explore(pair).html
    assert len(html.encode()) < 1_400_000
    spans = [panel.gaussian.scale.norm().item() for panel in pair.values()]
    assert spans[0] > 5 * spans[1]  # without KL the codes spread without bound
    assert all(panel.codes.shape == (2000, 2) and panel.labels.shape == (2000,) for panel in pair.values())


@pytest.mark.parametrize("name", ["without_kl", "with_kl"])
def test_shipped_files_are_small_and_tell_their_recipe(name):
    assert len(WEIGHTS.joinpath(f"{name}.safetensors").read_bytes()) < 1_000_000
    report = json.loads(WEIGHTS.joinpath(f"{name}.json").read_text(encoding="utf-8"))
    assert report["recipe"]["beta"] == {"without_kl": 0.0, "with_kl": 1.0}[name]
    assert 20 < report["test"]["squared_error"] < 43.87  # better than two principal components on the training set
    assert set(report["versions"]) >= {"torch", "python"} and len(report["data"]["train_pixels_sha256"]) == 64


def script_problems(text):
    """What makes a script long, unsafe inside a script element, or younger than ES2017."""
    problems = [mark for mark in ("</script", "<!--", "currentScript", "?.", "??") if mark in text]
    lines = text.splitlines()
    problems += [f"{len(lines)} lines"] * (len(lines) > 130) + ["wide"] * (max(map(len, lines)) > 120)
    for i, line in enumerate(lines):
        if opened := re.match(r"( *)(?=\w)(?!class |if |for |return )[\w ]+\(.*\{( //.*)?$", line):
            end = next(k for k in range(i, len(lines)) if re.match(opened[1] + r"\}", lines[k]))
            problems += [f"{line.strip()} has {end - i + 1} lines"] * (end - i >= 40)
    return problems


@pytest.mark.parametrize("name", sorted({*SCRIPTS, *frames.SCRIPTS, *playground.SCRIPTS, "start.js", "worker.js"}))
def test_the_scripts_are_plain_and_short(name):
    assert script_problems(WEB.joinpath(name).read_text(encoding="utf-8")) == []


def test_a_long_function_is_found():
    body = "    f();\n" * 40
    assert script_problems(f"class A {{\n  move(u) {{ // why\n{body}  }}\n}}") == ["move(u) { // why has 42 lines"]
    assert script_problems(f"function f(a) {{\n{body}}}") == ["function f(a) { has 42 lines"]


@pytest.mark.parametrize("name", [*playground.WORKER, "strokes.js", "steps.js"])
def test_what_other_pages_use_knows_no_page(name):
    script = WEB.joinpath(name).read_text(encoding="utf-8")
    assert not re.search(r"\b(document|window|canvas|make|getContext|data|panel)\b", script)
