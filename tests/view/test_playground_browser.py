"""The playground in a real browser, from a file, with no network: its mathematics against torch, and its parts."""

import re

import numpy as np
import pytest
import torch
from browser import offline_page
from PIL import Image, ImageDraw
from scipy import stats
from torch import nn

from vae_helpers.data import load_small_digits
from vae_helpers.losses import kl_to_standard_normal, squared_error
from vae_helpers.models import mlp, seeded, start_at
from vae_helpers.view import playground as module
from vae_helpers.view.block import read
from vae_helpers.view.page import save
from vae_helpers.weights import shipped_pair

HOST = "[data-vae-playground]"
SIZES = ((64, 64, 4), (2, 64, 64))


@pytest.fixture(scope="module")
def block():
    return module.playground()


@pytest.fixture(scope="module")
def address(block, tmp_path_factory):
    path = tmp_path_factory.mktemp("a page") / "playground.html"
    save(path, block, title="A VAE in one page")
    return path.as_uri()


@pytest.fixture
def visit(chromium, address):
    """visit(width, …) → the playground, offline, alive, with a 3 on its pad; no error may be logged."""
    opened = []

    def go(width=1300, script=None, image="3", **context):
        manager = offline_page(chromium, viewport={"width": width, "height": 900}, **context)
        page, log = manager.__enter__()
        opened.append((manager, log))
        page.set_default_timeout(30_000)
        if script:
            page.add_init_script(script)
        page.goto(address)
        page.wait_for_function("document.querySelector('[data-vae-playground]').playground?.study.report")
        if image:
            page.locator(f"{HOST} .pad").press(image)
        settle(page)
        return page

    yield go
    for manager, log in opened:
        manager.__exit__(None, None, None)
        assert log == []


def settle(page):
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def inside(page, look, *arguments):
    """What a function of the playground, and of arguments, returns."""
    return page.locator(HOST).evaluate(f"(host, rest) => ({look})(host.playground, ...rest)", list(arguments))


def grey(page, selector):
    """Pixels in [0, 1] of the canvases, (canvases, pixels)."""
    look = """all => all.map((c) => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]
        .filter((_, i) => i % 4 === 0))"""
    return torch.tensor(page.locator(f"{HOST} {selector}").evaluate_all(look)) / 255


# The mathematics: the same files, in a page of their own.


@pytest.fixture(scope="module")
def lab(chromium):
    """lab(code, …): what a function of the scripts' own functions and of these arguments returns."""
    with offline_page(chromium) as (page, log):
        names = "SmallVAE, SMALL, Session, makeRandom, network, encoder, decoder, imageOf, small, LINES, STEPS"
        source = "\n".join(read(name) for name in (*module.WORKER, "strokes.js", "steps.js"))
        page.evaluate(f"source => {{ window.lab = new Function(source + '; return {{ {names} }};')(); }}", source)

        def ask(code, *arguments):
            return page.evaluate(f"rest => ({code})(window.lab, ...rest)", list(arguments))

        yield ask
        assert log == []


class Small(nn.Module):
    """The page's model in torch, from its numbers in the order of use."""

    def __init__(self, numbers=None, seed=0):
        super().__init__()
        with seeded(seed):
            self.encoder, self.decoder = (mlp(*sizes) for sizes in SIZES)
        if numbers is not None:
            self.double()
            nn.utils.vector_to_parameters(torch.tensor(numbers, dtype=torch.float64), self.parameters())

    def terms(self, x, eps):
        mu, logvar = self.encoder(x).chunk(2, dim=-1)
        x_hat = torch.sigmoid(self.decoder(mu + (logvar / 2).exp() * eps))
        return squared_error(x, x_hat), kl_to_standard_normal(mu, logvar)


def count():
    return sum(p.numel() for p in Small().parameters())


GRADIENT = """({ SmallVAE, SMALL }, numbers, xs, eps, beta) => {
    const model = new SmallVAE(SMALL, Float64Array.from(numbers));
    const terms = xs.map((x, i) => model.learn(Float64Array.from(x), eps[i], beta, 1 / xs.length));
    return [terms, [...model.slopes]]; }"""


@pytest.mark.parametrize("state", range(24))
def test_losses_and_gradients_agree_with_autograd(lab, state):
    draw = np.random.default_rng(state)
    numbers = draw.normal(size=count()) * draw.choice([0.05, 0.2, 0.5])
    x, eps = draw.choice(load_small_digits().x.numpy(), 5).astype(float), draw.normal(size=(5, 2))
    beta = float(draw.choice([0.0, 0.1, 1.0, 7.5]))
    terms, slopes = lab(GRADIENT, numbers.tolist(), x.tolist(), eps.tolist(), beta)
    model = Small(numbers)
    recon, kl = model.terms(torch.tensor(x), torch.tensor(eps))
    (recon + beta * kl).mean().backward()
    wanted = nn.utils.parameters_to_vector([p.grad for p in model.parameters()])
    found, own = torch.tensor(terms, dtype=torch.float64).T, torch.stack([recon, kl]).detach()
    torch.testing.assert_close(found, own, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(torch.tensor(slopes, dtype=torch.float64), wanted, rtol=1e-5, atol=1e-10)
    assert wanted.abs().max() > 1e-3


def test_a_wrong_gradient_would_be_seen(chromium):
    """Each of these faults, put into the script, changes a slope or a term by more than the tolerance."""
    source = "\n".join(read(name) for name in module.WORKER)
    faults = [
        ("share * beta * mu[k]", "share * mu[k]"),
        ("- 1) / 2", "+ 1) / 2"),
        ("eps[k] * sigma / 2", "eps[k] * sigma"),
        ("s * (1 + sums[i] * (1 - s))", "s"),
        ("2 * share * (image[i]", "share * (image[i]"),
        ("return sum / 2", "return sum"),
    ]
    draw = np.random.default_rng(5)
    numbers, x, eps = draw.normal(size=count()) * 0.2, draw.random((3, 64)), draw.normal(size=(3, 2))
    with offline_page(chromium) as (page, _):
        run = (
            f"([source, ...rest]) => ({GRADIENT})(new Function(source + '; return {{ SmallVAE, SMALL }};')(), ...rest)"
        )
        arguments = [numbers.tolist(), x.tolist(), eps.tolist(), 0.5]
        right = page.evaluate(run, [source, *arguments])
        for good, bad in faults:
            assert source.count(good) == 1, good
            wrong = page.evaluate(run, [source.replace(good, bad), *arguments])
            off = max(np.abs(np.array(a) - np.array(b)).max() for a, b in zip(right, wrong, strict=True))
            assert off > 1e-4, good


def test_adam_is_that_of_torch(lab):
    draw = np.random.default_rng(1)
    numbers, batches = draw.normal(size=count()) * 0.2, draw.random((6, 8, 64))
    eps = draw.normal(size=(6, 8, 2))
    found = lab(
        """({ SmallVAE, SMALL }, numbers, batches, eps) => {
        const model = new SmallVAE(SMALL, Float64Array.from(numbers));
        batches.forEach((xs, b) => {
            xs.forEach((x, i) => model.learn(Float64Array.from(x), eps[b][i], 0.3, 1 / xs.length));
            model.step(0.005); });
        return [...model.numbers]; }""",
        *(values.tolist() for values in (numbers, batches, eps)),
    )
    model = Small(numbers)
    adam = torch.optim.Adam(model.parameters(), lr=0.005)
    for x, e in zip(torch.tensor(batches), torch.tensor(eps), strict=True):
        recon, kl = model.terms(x, e)
        adam.zero_grad()
        (recon + 0.3 * kl).mean().backward()
        adam.step()
    wanted = nn.utils.parameters_to_vector(model.parameters()).detach()
    torch.testing.assert_close(torch.tensor(found, dtype=torch.float64), wanted, rtol=1e-7, atol=1e-9)


def test_the_random_numbers_are_uniform_normal_and_independent(lab):
    uniform, normal, other, order = lab(
        """({ makeRandom }) => {
        const a = makeRandom(0), b = makeRandom(1), many = (f) => Array.from({ length: 20000 }, f);
        return [many(a.uniform), many(a.normal), many(b.normal), a.shuffle([...Array(200).keys()])]; }"""
    )
    assert stats.kstest(uniform, stats.uniform.cdf).pvalue > 1e-3
    for values in (normal, other):
        assert stats.kstest(values, stats.norm.cdf).pvalue > 1e-3
        assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 4 / np.sqrt(len(values))
    assert abs(np.corrcoef(normal, other)[0, 1]) < 4 / np.sqrt(len(normal))
    assert sorted(order) == list(range(200)) and order != list(range(200))


def test_a_model_starts_as_torch_starts_one_and_draws_the_mean(lab):
    mean = load_small_digits().x.mean(dim=0).double()
    found = lab(
        """({ SmallVAE, SMALL, makeRandom }, mean) => { const model = new SmallVAE(SMALL);
        model.start(makeRandom(3).uniform, mean); return [...model.numbers]; }""",
        mean.tolist(),
    )
    model, torchs = Small(found), Small()
    for own, theirs in zip(list(model.parameters())[:-1], list(torchs.parameters())[:-1], strict=True):
        reach = 1 / np.sqrt(theirs.shape[-1] if theirs.ndim == 2 else own.shape[0])
        if theirs.ndim == 2:
            assert own.abs().max() <= reach and own.std().item() == pytest.approx(theirs.std().item(), rel=0.15)
    torch.testing.assert_close(torch.sigmoid(model.decoder[-1].bias.detach()), mean.clamp(0.01, 0.99))


def trained(lab, seed, betas, epochs):
    """(recon, kl) of both models after the page's own training, over all images."""
    digits = load_small_digits().x
    return lab(
        """({ Session }, pixels, seed, betas, epochs) => { let last = null;
        const given = { pixels: Float64Array.from(pixels), images: pixels.length / 64 };
        const session = new Session((report) => { last = report; }, given);
        session.receive({ act: "restart", seed, run: 1 }); session.betas = betas;
        for (let k = Math.round(epochs * Math.ceil(pixels.length / 64 / 32)); k--;) session.batch();
        session.report(); return last.models.map(({ recon, kl }) => [recon, kl]); }""",
        digits.flatten().tolist(), seed, betas, epochs,
    )  # fmt: skip


def trained_by_torch(seed, beta, epochs):
    x = load_small_digits().x
    model, order = Small(seed=seed), torch.Generator().manual_seed(seed)
    start_at(model.decoder, x.mean(dim=0))
    adam = torch.optim.Adam(model.parameters(), lr=0.005)
    with seeded(seed):
        for _ in range(epochs):
            for rows in torch.randperm(len(x), generator=order).split(32):
                recon, kl = model.terms(x[rows], torch.randn(len(rows), 2))
                adam.zero_grad()
                (recon + beta * kl).mean().backward()
                adam.step()
        with torch.no_grad():
            recon, kl = model.terms(x, torch.randn(len(x), 2))
    return [recon.mean().item(), kl.mean().item()]


def test_both_models_get_the_same_start_batches_and_noise(lab):
    one, other = trained(lab, 3, [0.3, 0.3], 0.2)
    assert one == other
    third, _ = trained(lab, 4, [0.3, 0.3], 0.2)
    assert third != one


def test_a_report_holds_codes_terms_and_pictures_as_torch_has_them(lab):
    digits = load_small_digits().x[:400]
    numbers, report = lab(
        """({ Session }, pixels) => { let last = null;
        const session = new Session((report) => { last = report; }, { pixels: Float64Array.from(pixels), images: 400 });
        session.receive({ act: "restart", seed: 1, run: 1, beta: 0.1 });
        for (let k = 0; k < 200; k++) session.batch();
        session.report();
        const { codes, pictures, recon, kl } = last.models[1];
        return [[...session.models[1].numbers], [[...codes], [...pictures], recon, kl]]; }""",
        digits.flatten().tolist(),
    )
    model, (codes, pictures, recon, kl) = Small(numbers), report
    with torch.no_grad():
        mu, logvar = model.encoder(digits.double()).chunk(2, dim=-1)
        places = stats.norm.ppf([0.05, 0.25, 0.5, 0.75, 0.95])
        grid = torch.tensor([[across, up] for up in places[::-1] for across in places])
        wanted = (255 * torch.sigmoid(model.decoder(grid))).round()
        torch.manual_seed(0)
        many = torch.stack([model.terms(digits.double(), torch.randn(400, 2))[0].mean() for _ in range(40)])
    torch.testing.assert_close(torch.tensor(codes).view(400, 2), mu.float(), rtol=1e-5, atol=1e-6)
    assert (torch.tensor(pictures).view(25, 64) - wanted).abs().max() <= 1 and wanted.std(dim=0).max() > 20
    assert kl == pytest.approx(kl_to_standard_normal(mu, logvar).mean().item(), rel=1e-9)
    assert abs(recon - many.mean().item()) < 4 * many.std().item()


def test_training_reaches_what_torch_reaches(lab):
    """Ten seeds each with the same recipe and other random numbers: the means agree within their standard errors."""
    epochs, betas = 5, [0.1, 0.6]
    page = np.array([trained(lab, seed, betas, epochs) for seed in range(10)])  # seeds, β, terms
    own = np.array([[trained_by_torch(100 + seed, beta, epochs) for beta in betas] for seed in range(10)])
    error = np.sqrt((page.var(axis=0, ddof=1) + own.var(axis=0, ddof=1)) / 10)
    assert (np.abs(page.mean(axis=0) - own.mean(axis=0)) < 4 * error).all(), (
        page.mean(axis=0),
        own.mean(axis=0),
        error,
    )
    assert (own.min(axis=0) < page.mean(axis=0)).all() and (page.mean(axis=0) < own.max(axis=0)).all()
    assert (error < 0.1).all()  # otherwise the comparison would say nothing


def test_collapse_is_on_the_predicted_side(lab):
    variances = np.linalg.svd(load_small_digits().x.numpy() - load_small_digits().x.numpy().mean(axis=0))[1] ** 2 / 1797
    line = module.collapse_lines()
    assert line == pytest.approx(2 * variances[:2], rel=1e-4)
    for seed in range(2):
        (above_recon, above), (_, below) = trained(lab, seed, [1.2 * line[0], 0.75 * line[1]], 20)
        assert above < 0.02 < 0.2 < below, seed
        assert above_recon == pytest.approx(variances.sum(), rel=0.02)  # the mean image for everybody


def test_a_drawing_becomes_an_image_like_those_of_mnist(lab):
    strokes = [[[0.2, 0.1], [0.8, 0.1], [0.4, 0.9]], [[0.3, 0.5], [0.7, 0.5]]]  # a 7 with a bar
    ask = "({ imageOf }, strokes) => { const image = imageOf(strokes); return image && [...image]; }"
    image = np.array(lab(ask, strokes)).reshape(28, 28)
    rows, columns = (np.flatnonzero(image.max(axis=axis) > 0.5) for axis in (1, 0))
    assert 18 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 21
    for axis in (0, 1):  # the centre of mass
        assert np.average(np.arange(28) + 0.5, weights=image.sum(axis=1 - axis)) == pytest.approx(14, abs=0.2)
    moved = [[[3 + 5 * x, 7 + 5 * y] for x, y in stroke] for stroke in strokes]
    assert np.abs(np.array(lab(ask, moved)).reshape(28, 28) - image).max() < 1e-4
    assert lab(ask, []) is None
    dot = np.array(lab(ask, [[[0.3, 0.3]]])).reshape(28, 28)
    assert dot[13:15, 13:15].min() == 1 and 4 < dot.sum() < 10


def test_ink_is_as_another_renderer_lays_it(lab):
    """The same lines by PIL, sixteen times as large, averaged down."""
    a, b, c = (4.0, 4.0), (24.0, 4.0), (10.0, 23.0)  # as large as it will be, so that nothing is scaled
    image = np.array(lab("({ imageOf }, s) => [...imageOf(s)]", [[a, b, c]])).reshape(28, 28)
    zoom, pen = 16, 2.6
    places = np.array([a, b, c])
    low, high = places.min(axis=0), places.max(axis=0)
    places = 14 + (places - (low + high) / 2) * (20 - pen) / (high - low).max()
    large = Image.new("L", (28 * zoom, 28 * zoom))
    ink = ImageDraw.Draw(large)
    ink.line([tuple(zoom * place) for place in places], fill=255, width=round(zoom * pen))
    for x, y in zoom * places:
        ink.ellipse((x - zoom * pen / 2, y - zoom * pen / 2, x + zoom * pen / 2, y + zoom * pen / 2), fill=255)
    wanted = np.asarray(large).reshape(28, zoom, 28, zoom).mean(axis=(1, 3)) / 255
    mass = [np.average(np.arange(28) + 0.5, weights=wanted.sum(axis=axis)) - 14 for axis in (0, 1)]
    shift = tuple(round(m * zoom) for m in mass)
    wanted = (
        np.roll(np.asarray(large), (-shift[1], -shift[0]), (0, 1)).reshape(28, zoom, 28, zoom).mean(axis=(1, 3)) / 255
    )
    assert np.abs(image - wanted).mean() < 0.01 and np.abs(image - wanted).max() < 0.35


# The page.


def models():
    """{title: model} with the weights that the page holds: rounded to half precision."""
    return {module.TITLES[name]: panel.model.half().float() for name, panel in shipped_pair().items()}


def shown_image(page):
    """The image that the encoders see, (784,)."""
    return torch.tensor(inside(page, "page => [...page.drawing.x]"))


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text.replace("−", "-").replace(",", ", "))]


def close(found, wanted):
    """As close as the digits that are shown allow: half of the last one, and rounding."""
    assert len(found) == len(wanted)
    assert all(abs(f - w) <= 0.0051 + 1e-3 * abs(w) for f, w in zip(found, wanted, strict=True)), (found, wanted)


def test_nothing_is_given_away_before_there_is_an_image(visit):
    page = visit(image=None)
    assert page.locator(f"{HOST} .readout").first.inner_text() == "no image yet"
    assert set(values(page).values()) <= {"", values(page)["x"], values(page)["xhat"]}
    for name in ("draw from both posteriors again", "let the walk start at this image"):
        assert page.get_by_role("button", name=name).is_disabled()
    page.get_by_role("button", name="drop 12 samples").click()  # needs no image
    assert grey(page, ".many .image").mean() > 0.05


def test_both_answers_agree_with_torch(visit):
    page = visit()
    x = shown_image(page)
    for nth, (title, model) in enumerate(models().items()):
        with torch.no_grad():
            mu, logvar = model.encode(x)
            image = model.decode(mu)
        code = inside(
            page,
            "(page, k) => { const { mu, logvar } = page.drawing.answers[k].code; return [...mu, ...logvar]; }",
            nth,
        )
        assert code == pytest.approx([*mu.tolist(), *logvar.tolist()], rel=1e-4, abs=1e-4)
        answer = page.locator(f"{HOST} .answer").nth(nth)
        assert answer.get_attribute("aria-label") == title
        sigma = (logvar / 2).exp()
        shown = numbers(answer.locator(".readout").inner_text())
        assert shown == pytest.approx([*mu.tolist(), *sigma.tolist()], rel=0.05, abs=0.006)
        assert shown[2:] == pytest.approx(sigma.tolist(), rel=0.05)  # also where they are tiny
        terms = [float(text.split()[0]) for text in answer.locator(".bars span").all_inner_texts() if "nats" in text]
        close(
            [t / 10 for t in terms],
            [squared_error(x, image).item() / 10, kl_to_standard_normal(mu, logvar).item() / 10],
        )
        assert (grey(page, f".answer:nth-of-type({nth + 2}) .pictures .image")[0] - image).abs().max() <= 1 / 255
        draws = torch.tensor(inside(page, "(page, k) => page.drawing.answers[k].draws.map((z) => [...z])", nth))
        with torch.no_grad():
            pictures = model.decode(draws)
        assert (
            grey(page, f".answer:nth-of-type({nth + 2}) .pictures:nth-of-type(4) .image") - pictures
        ).abs().max() <= 1.01 / 255
    widths = page.locator(f"{HOST} .bar").evaluate_all("bars => bars.map((bar) => bar.getBoundingClientRect().width)")
    terms = inside(page, "page => page.drawing.answers.flatMap((answer) => answer.terms)")
    assert np.allclose(
        np.array(widths) / max(widths), np.array(terms) / max(terms), atol=0.01
    )  # one scale for all bars


BLUE = """c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data, at = [];
    for (let i = 0; i < d.length; i += 4)
        if (d[i] < 16 && Math.abs(d[i + 1] - 114) < 16 && Math.abs(d[i + 2] - 178) < 16) at.push(i / 4);
    const xs = at.map((i) => i % c.width), ys = at.map((i) => Math.floor(i / c.width));
    return [Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)]; }"""


def test_the_posterior_is_a_cloud_with_the_term_and_a_speck_without(visit):
    page = visit()
    sizes = [page.locator(f"{HOST} .answer .map").nth(k).evaluate(BLUE) for k in (0, 1)]
    zooms = inside(page, "page => page.drawing.answers.map((answer) => answer.chart.frame.zoom)")
    sigma = inside(page, "page => page.drawing.answers.map((answer) => [...answer.sigma])")
    assert max(sizes[0]) <= 7  # a dot
    for size, s in zip(sizes[1], sigma[1], strict=True):  # two σ to each side, and the outline's width
        assert size == pytest.approx(4 * s * zooms[1] + 2.4, abs=3)
    assert min(sigma[1]) > 50 * max(sigma[0])


def draw(page, places):
    box = page.locator(f"{HOST} .pad").bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    page.mouse.move(*at[0])
    page.mouse.down()
    for x, y in at[1:]:
        page.mouse.move(x, y, steps=6)
    page.mouse.up()


SEVEN = [(0.2, 0.15), (0.8, 0.15), (0.45, 0.9)]


def test_a_digit_is_drawn_with_the_mouse(visit, lab):
    page = visit()
    before = page.locator(f"{HOST} .readout").first.inner_text()
    draw(page, SEVEN)
    settle(page)
    assert page.locator(f"{HOST} .seen").inner_text().endswith("your drawing, sized and centred")
    assert page.locator(f"{HOST} .readout").first.inner_text() != before
    strokes = inside(page, "page => page.drawing.pad.strokes")
    assert len(strokes) == 1 and len(strokes[0]) > 6
    wanted = torch.tensor(lab("({ imageOf }, s) => [...imageOf(s)]", strokes))
    assert (grey(page, ".seen .image")[0] - wanted).abs().max() <= 0.51 / 255
    draw(page, [(0.3, 0.5), (0.7, 0.5)])  # a second stroke joins the first
    assert len(inside(page, "page => page.drawing.pad.strokes")) == 2
    page.locator(f"{HOST} .pad").press("Delete")
    assert page.locator(f"{HOST} .said").first.inner_text().startswith("The pad is empty")
    assert grey(page, ".answer .pictures:not(.many) .image").max() == 0 and grey(page, ".node .image").max() == 0
    assert page.locator(f"{HOST} .readout").first.inner_text() == "no image yet"
    draw(page, [(0.5, 0.5), (0.5, 0.5)])  # a mere tap
    assert "your drawing" in page.locator(f"{HOST} .said").first.inner_text()


def test_ink_stays_on_the_pad_and_a_trembling_hand_makes_a_dot(visit, lab):
    page = visit(image=None)
    draw(page, [(0.5, 0.5), (1.6, 0.5), (0.5, 1.4)])
    settle(page)
    assert np.min(strokes := inside(page, "page => page.drawing.pad.strokes.flat()")) >= 0 and np.max(strokes) == 1
    tremble = np.array(lab("({ imageOf }) => [...imageOf([[[0.5, 0.5], [0.504, 0.5], [0.5, 0.503]]])]"))
    assert 4 < tremble.sum() < 10
    page.locator(f"{HOST} .pad").click(button="right")
    assert len(inside(page, "page => page.drawing.pad.strokes")) == 1


def test_a_digit_is_drawn_with_one_finger(visit):
    page = visit(390, has_touch=True, is_mobile=True)
    page.locator(f"{HOST} .pad").scroll_into_view_if_needed()
    box, scrolled = page.locator(f"{HOST} .pad").bounding_box(), page.evaluate("scrollY")
    session = page.context.new_cdp_session(page)
    for kind, places in (
        ("touchStart", SEVEN[:1]),
        ("touchMove", SEVEN[1:2]),
        ("touchMove", SEVEN[2:]),
        ("touchEnd", []),
    ):
        second = [(0.5, 0.8 - 0.3 * (places == SEVEN[2:]))] if kind == "touchMove" else []  # a finger that is not asked
        points = [
            {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"], "id": k}
            for k, (x, y) in enumerate([*places, *second])
        ]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    settle(page)
    [stroke] = inside(page, "page => page.drawing.pad.strokes")
    assert len(stroke) >= 3 and np.allclose(stroke[-1], SEVEN[-1], atol=0.02)
    assert not any(np.allclose(place, other, atol=0.02) for place in stroke for other in ((0.5, 0.8), (0.5, 0.5)))
    assert page.evaluate("scrollY") == scrolled  # the page stays where it is
    assert "your drawing" in page.locator(f"{HOST} .said").first.inner_text()


def test_a_test_image_is_chosen_by_a_key_or_a_button(visit, block):
    page = visit()
    pad, seen = page.locator(f"{HOST} .pad"), []
    for _ in range(4):
        pad.press("7")
        seen.append(shown_image(page))
        assert page.locator(f"{HOST} .seen").inner_text().endswith(f"a 7 {module.SOURCES['digits']}")
    assert not torch.equal(seen[0], seen[1]) and torch.equal(seen[0], seen[3])  # three, and round again
    page.get_by_role("button", name="test image of a 7").click()
    assert torch.equal(shown_image(page), seen[1])
    pad.press("Control+3")
    assert torch.equal(shown_image(page), seen[1])  # not ours


def test_samples_of_the_prior_drop_on_both_planes(visit):
    page = visit()
    assert grey(page, ".many .image").max() == 0
    page.get_by_role("button", name="drop 12 samples").click()
    z = torch.tensor(inside(page, "page => page.drawing.samples"))
    assert z.shape == (12, 2)
    for nth, model in enumerate(models().values()):
        with torch.no_grad():
            wanted = model.decode(z)
        assert (grey(page, f".answer:nth-of-type({nth + 2}) .many .image") - wanted).abs().max() <= 1.01 / 255
    page.get_by_role("button", name="drop 12 samples").click()
    assert not np.allclose(inside(page, "page => page.drawing.samples"), z)
    again = "page => { page.drawing.drop(); return page.drawing.samples; }"
    many = np.array([inside(page, again) for _ in range(300)])
    for axis in (0, 1):
        assert stats.kstest(many[..., axis].flatten(), stats.norm.cdf).pvalue > 1e-3


def test_the_walk_leads_from_one_mean_to_the_other(visit):
    page = visit()
    slider, walked = page.get_by_label("place on the walk"), ".pictures:has([aria-label^='Image on']) .image"
    middle = grey(page, walked)
    slider.press("End")
    assert torch.equal(grey(page, walked), grey(page, ".pictures:has([aria-label^='Reconstruction']) .image"))
    slider.press("Home")
    start = torch.tensor(inside(page, "page => [...page.drawing.kept]"))
    with torch.no_grad():
        wanted = torch.stack([model.decode(model.encode(start)[0]) for model in models().values()])
    assert (grey(page, walked) - wanted).abs().max() <= 1 / 255
    assert (middle - wanted).abs().amax(dim=1).min() > 0.2
    page.get_by_role("button", name="let the walk start at this image").click()
    assert torch.equal(torch.tensor(inside(page, "page => [...page.drawing.kept]")), shown_image(page))


def test_the_lines_of_the_graph_are_what_its_boxes_show(visit, lab):
    """Executed in torch, one by one, with the page's image and noise."""
    page = visit()
    lines, steps = lab("({ LINES, STEPS }) => [LINES, STEPS]")
    assert page.locator(f"{HOST} .line").all_inner_texts() == lines
    for title, model in models().items():
        page.get_by_role("button", name=title, exact=True).click()
        page.get_by_label("β, the weight of the KL term", exact=True).first.fill("2.5")
        scope = {
            "torch": torch,
            "image": shown_image(page),
            "encoder": model.encoder,
            "decoder": model.decoder,
            "beta": 2.5,
        }
        eps = torch.tensor(inside(page, "page => page.graph.numbers.eps"))
        with torch.no_grad():
            for line in lines:
                exec(line, scope)
                if line.startswith("eps"):
                    scope["eps"] = eps
        for name, shown in (
            ("mu", "mu"),
            ("logvar", "logvar"),
            ("sigma", "sigma"),
            ("eps", "eps"),
            ("z", "z"),
            ("recon", "recon"),
            ("kl", "kl"),
            ("loss", "loss"),
        ):
            wanted = scope[name].reshape(-1).tolist()
            found = numbers(page.locator(f"{HOST} .node.{shown} .value").inner_text())
            close(found, wanted)
        assert (grey(page, ".node.xhat .image")[0] - scope["x_hat"]).abs().max() <= 1.01 / 255
    assert {step["line"] for step in steps} == set(range(len(lines)))


def values(page):
    shown = """nodes => Object.fromEntries(nodes.map((node) => [node.dataset.step, node.querySelector('canvas')
        ? node.querySelector('canvas').toDataURL() : node.querySelector('.value').textContent]))"""
    return page.locator(f"{HOST} .node").evaluate_all(shown)


def test_new_noise_and_another_beta_change_what_depends_on_them(visit):
    page = visit()
    before = values(page)
    page.get_by_role("button", name="draw ε again").click()
    after = values(page)
    assert {name for name in after if after[name] != before[name]} == {"eps", "z", "xhat", "recon", "loss"}
    page.get_by_label("β, the weight of the KL term", exact=True).first.press("ArrowRight")
    last = values(page)
    assert {name for name in last if last[name] != after[name]} == {"loss"}


def test_boxes_and_lines_are_linked_by_hover_touch_and_tab(visit, lab):
    page = visit(1300, has_touch=True)
    steps = {step["id"]: step for step in lab("({ STEPS }) => STEPS")}
    said = page.locator(f"{HOST} .part:nth-of-type(2) .said")

    def linked(name):
        settle(page)
        assert page.locator(f"{HOST} .node.active").evaluate("node => node.dataset.step") == name
        lines = page.locator(f"{HOST} .line").evaluate_all(
            "all => all.map((line) => line.classList.contains('active'))"
        )
        assert lines == [i == steps[name]["line"] for i in range(len(lines))]
        needed = page.locator(f"{HOST} .node.needed").evaluate_all("all => all.map((node) => node.dataset.step)")
        assert sorted(needed) == sorted(steps[name]["from"])
        arrows = page.locator(f"{HOST} path.active").evaluate_all("all => all.map((path) => path.dataset.from)")
        assert sorted(arrows) == sorted(needed)
        assert said.inner_text().startswith(steps[name]["name"])

    linked("z")
    page.locator(f"{HOST} .node.kl").hover()
    linked("kl")
    page.locator(f"{HOST} .line").nth(2).hover()
    linked("sigma")
    page.locator(f"{HOST} .node.loss").tap()
    linked("loss")
    page.locator(f"{HOST} .node.x").focus()
    for name in list(steps)[1:]:
        page.keyboard.press("Tab")
        linked(name)


ARROWS = """({ graph }) => {
    const outer = graph.board.getBoundingClientRect(), inside = (box, x, y, edge) =>
        x > box.left - edge && x < box.right + edge && y > box.top - edge && y < box.bottom + edge;
    return graph.links.map(({ path, to }) => {
        const places = path.getAttribute('d').split('M')[1].split('L').map((place) => place.split(',').map(Number))
            .map(([x, y]) => [x + outer.left, y + outer.top]);
        const boxes = Object.entries(graph.nodes).map(([id, node]) => [id, node.getBoundingClientRect()]), hidden = [];
        places.slice(1).forEach((end, i) => { for (let t = 0; t <= 1; t += 0.02) {
            const [x, y] = end.map((p, k) => places[i][k] + t * (p - places[i][k]));
            boxes.forEach(([id, box]) => inside(box, x, y, -1) && hidden.push(id)); } });
        const [from, last] = [places[0], places[places.length - 1]], box = Object.fromEntries(boxes);
        return [inside(box[path.dataset.from], ...from, 2) && inside(box[to], ...last, 4), [...new Set(hidden)]];
    });
}"""


@pytest.mark.parametrize("width", [1600, 1300, 900, 700, 390])
def test_arrows_lead_from_box_to_box_and_behind_none(visit, width):
    page = visit(width)
    found = inside(page, ARROWS)
    assert len(found) == 13 and all(arrives and hidden == [] for arrives, hidden in found), found


def study(page):
    look = """({ study: { report, running, trail } }) =>
        ({ epoch: report.epoch, models: report.models.map((m) => [m.recon, m.kl]), running, trail })"""
    return inside(page, look)


def wait_until(page, look):
    """Until this is true of the playground, called page in it."""
    page.wait_for_function(f"((page) => {look})(document.querySelector('{HOST}').playground)")


def start(page):
    page.locator(f"{HOST} button", has_text="▶").click()


def wait_for_epoch(page, epoch):
    wait_until(page, f"page.study.report.epoch >= {epoch}")
    settle(page)


def test_two_planes_train_and_beta_moves_while_they_do(visit):
    page = visit()
    before = page.locator(f"{HOST} .study .map").evaluate_all("all => all.map((c) => c.toDataURL())")
    first = study(page)
    assert first["epoch"] == 0 and first["models"][0] == first["models"][1]  # the same start
    start(page)
    wait_for_epoch(page, 3)
    (recon, kl), (recon_with, kl_with) = study(page)["models"]
    assert recon < first["models"][0][0] and kl > 2 * kl_with and recon < recon_with
    slider = page.get_by_label("your β, the weight of the KL term")
    box = slider.bounding_box()
    page.mouse.click(box["x"] + 0.85 * box["width"], box["y"] + box["height"] / 2)  # beyond both lines
    beta, now = float(slider.input_value()), study(page)["epoch"]
    assert beta > 1.4
    wait_for_epoch(page, now + 9)
    page.get_by_role("button", name="pause").click()
    end = study(page)
    assert end["models"][1][1] < 0.05 and end["models"][0][1] > 5
    assert {b for b, _ in end["trail"]} == {0.1, beta} and max(kl for b, kl in end["trail"] if b == beta) < 0.5
    after = page.locator(f"{HOST} .study .map").evaluate_all("all => all.map((c) => c.toDataURL())")
    assert all(a != b for a, b in zip(before, after, strict=True))
    grids = grey(page, ".beside .image").reshape(2, 5, 10, 5, 10).permute(0, 1, 3, 2, 4).reshape(2, 25, 100)
    assert grids[1].std(dim=0).max() < 0.05 < grids[0].std(dim=0).max()  # one picture everywhere
    assert "After" in page.locator(f"{HOST} .part:nth-of-type(3) .said").inner_text()


def test_it_steps_pauses_restarts_and_depends_on_the_seed_alone(visit):
    page = visit()
    one = page.get_by_role("button", name="one batch")

    def three_steps():
        for k in (1, 2, 3):
            one.click()
            wait_until(page, f"Math.abs(page.study.report.epoch - {k} / 57) < 1e-9")
        return study(page)["models"]

    first = three_steps()
    page.get_by_role("button", name="restart").click()
    wait_until(page, "page.study.report.epoch === 0")
    assert three_steps() == first
    page.get_by_label("seed").fill("5")
    page.get_by_label("seed").press("Enter")
    wait_until(page, "page.study.report.epoch === 0")
    assert three_steps() != first
    for given, taken in (("-3", "0"), ("123456", "9999"), ("", "0"), ("2.6", "3")):
        page.get_by_label("seed").fill(given)
        page.get_by_label("seed").press("Tab")
        assert page.get_by_label("seed").input_value() == taken
    start(page)
    wait_for_epoch(page, 1)
    page.get_by_role("button", name="pause").click()
    settle(page)
    epoch = study(page)["epoch"]
    one.click()
    wait_until(page, f"page.study.report.epoch > {epoch}")
    assert not study(page)["running"] and page.get_by_role("button", name="go on").is_visible()


def test_the_button_says_what_the_session_does_whatever_the_order_of_clicks(visit):
    page = visit()
    page.evaluate(f"""() => {{
        const {{ study }} = document.querySelector("{HOST}").playground;
        study.go.click(); study.one.click(); study.slider.value = 1.2; study.weigh(); // while the step is on its way
    }}""")
    page.get_by_role("button", name="go on").wait_for()
    wait_until(page, "page.study.report.epoch > 0")
    start(page)
    epoch = study(page)["epoch"]
    wait_for_epoch(page, epoch + 1)  # it runs again
    page.get_by_role("button", name="pause").click()


def test_it_rests_after_its_rounds(visit):
    page = visit(script="window.Worker = undefined;")  # so that the rounds can be shortened
    start(page)
    inside(page, "page => { page.study.port.session.until = 1; }")
    page.get_by_role("button", name="go on").wait_for()
    assert 1 <= study(page)["epoch"] <= 3 and study(page)["epoch"] % 1 == 0
    assert "Training rests" in page.locator(f"{HOST} .part:nth-of-type(3) .said").inner_text()
    epoch = study(page)["epoch"]
    page.get_by_label("your β, the weight of the KL term").press("ArrowRight")  # goes on by itself
    wait_for_epoch(page, epoch + 1)
    page.get_by_role("button", name="pause").click()
    epoch = study(page)["epoch"]
    page.get_by_label("your β, the weight of the KL term").press("ArrowRight")  # what was paused stays so
    settle(page)
    assert not study(page)["running"] and page.get_by_role("button", name="go on").is_visible()


FAILS = "postMessage() { setTimeout(() => this.onerror({ preventDefault() {} })); }"
NONE = [
    "window.Worker = undefined;",
    "window.Worker = class { constructor() { throw new Error('no'); } };",
    f"window.Worker = class {{ {FAILS} terminate() {{}} }};",
    "window.Worker = class { postMessage() {} terminate() {} };",  # silent
]


@pytest.mark.parametrize("script", NONE)
def test_where_no_worker_is_allowed_the_page_trains_itself(visit, script):
    page = visit(script=script)
    start(page)
    wait_for_epoch(page, 1)
    page.get_by_role("button", name="pause").click()
    assert study(page)["models"][0][1] > 1


def test_the_worker_does_the_work(visit):
    page = visit()
    start(page)
    wait_for_epoch(page, 1)
    assert inside(page, "page => page.study.port.session === null")


def test_the_predicted_line_is_there_before_anything_is_trained(visit):
    page = visit()
    chart = page.locator(f"{HOST} .collapse")
    dark = """c => { const g = c.getContext('2d'), w = c.width, d = g.getImageData(0, 0, w, c.height).data, at = [];
        for (let x = 60; x < w - 14; x++) {
            let n = 0;
            for (let y = 40; y < c.height - 50; y++) n += Math.max(d[4 * (w * y + x)], d[4 * (w * y + x) + 2]) < 170;
            if (n > 30) at.push(x);
        }
        return [at, w]; }"""
    columns, width = chart.evaluate(dark)
    found = {round((x - 44) / (width - 56) * 2, 1) for x in columns}
    assert found == {round(line, 1) for line in module.collapse_lines()}
    assert f"β = {module.collapse_lines()[0]:.2f}" in chart.get_attribute("aria-label")
    beta, kl = np.array(inside(page, "page => page.study.charts.line")).T
    wanted = sum(0.5 * np.log(np.maximum(line / beta, 1)) for line in module.collapse_lines())  # each axis on its own
    assert np.allclose(kl, wanted, atol=1e-3) and beta.max() == pytest.approx(2) and kl[-1] == 0 < kl[0]


def test_digits_stand_at_the_medians_of_their_classes(visit):
    page = visit()
    page.get_by_role("button", name="one batch").click()
    wait_until(page, "page.study.report.epoch > 0 && page.study.planes[1].medians")
    settle(page)
    codes = np.array(inside(page, "page => [...page.study.planes[1].codes]")).reshape(-1, 2)
    for digit, *place in inside(page, "page => page.study.planes[1].medians"):
        own = np.sort(codes[load_small_digits().y.numpy() == digit], axis=0)
        middle = len(own) // 2
        assert (own[middle - 1] <= place).all() and (place <= own[middle]).all()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1300, 700, 390])
def test_it_is_for_everybody(visit, width, theme):
    page = visit(width, color_scheme=theme)
    page.get_by_role("button", name="drop 12 samples").click()
    page.locator("details").evaluate_all("all => all.forEach((fold) => { fold.open = true; })")
    page.get_by_role("button", name="one batch").click()
    wait_until(page, "page.study.report.epoch > 0")
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(HOST).evaluate("host => host.shadowRoot.querySelector('.box').classList.contains('dark')") == (
        theme == "dark"
    )
    sizes = (
        "host => [...host.shadowRoot.querySelectorAll('.box *')].map((n) => parseFloat(getComputedStyle(n).fontSize))"
    )
    assert min(page.locator(HOST).evaluate(sizes)) >= 13
    aimed_at = page.get_by_role("slider").all() + page.get_by_role("button").all()
    assert all(min(box["width"], box["height"]) >= 24 for box in (node.bounding_box() for node in aimed_at))
    axe = pytest.importorskip("axe_core_python.sync_playwright")
    found = axe.Axe().run(page)
    assert len(found["passes"]) > 15
    wrong = [rule for rule in found["violations"] if rule["impact"] in ("serious", "critical")]
    assert [(rule["id"], rule["nodes"][0]["html"][:120]) for rule in wrong] == []


@pytest.mark.parametrize("width", [1600, 1000, 847, 560, 320])
def test_nothing_is_cut_off(visit, width):
    page = visit(width)
    outside = """host => { const right = host.getBoundingClientRect().right + 0.5;
        return [...host.shadowRoot.querySelectorAll('.box *:not(.listing *)')]
            .filter((n) => n.getBoundingClientRect().right > right).map((n) => n.outerHTML.slice(0, 99)); }"""
    assert page.locator(HOST).evaluate(outside) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_keyboard_alone_is_enough(visit):
    page = visit()

    def tab_to(look):
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.locator(HOST).evaluate(
                f"host => {{ const at = host.shadowRoot.activeElement; return !!at && ({look})(at); }}"
            ):
                return
        raise AssertionError(f"Tab does not lead to {look}")

    tab_to("at => at.className === 'pad'")
    page.keyboard.press("8")
    assert "For an 8" in page.locator(f"{HOST} .said").first.inner_text()
    tab_to("at => at.textContent.startsWith('drop')")
    page.keyboard.press("Enter")
    assert grey(page, ".many .image").max() > 0.5
    tab_to("at => at.type === 'range'")
    page.keyboard.press("ArrowRight")
    tab_to("at => at.dataset.step === 'kl'")
    tab_to("at => at.textContent.endsWith('start')")
    page.keyboard.press("Space")
    wait_for_epoch(page, 1)
    page.keyboard.press("Space")
    tab_to("at => at.type === 'number'")
    page.keyboard.press("ArrowUp")
    wait_until(page, "page.study.report.epoch === 0")
    tab_to("at => at.getAttribute('aria-label') === 'digit 0'")
    page.keyboard.press("Enter")
    assert inside(page, "page => page.study.chosen.size") == 1


def test_a_screen_reader_is_told_what_happens(visit):
    page = visit()
    page.locator(f"{HOST} .pad").press("4")
    wait_until(page, "page.drawing.status.node.textContent.startsWith('For a 4')")
    page.locator(f"{HOST} .node.kl").focus()
    wait_until(page, "page.graph.status.node.textContent.startsWith('KL = ')")
    assert page.locator(f"{HOST} [role=status]").count() == 3
    page.get_by_role("button", name="one batch").click()
    wait_until(page, "page.study.status.node.textContent.startsWith('After 0.02')")
    labels = page.locator(f"{HOST} canvas").evaluate_all("all => all.map((c) => c.getAttribute('aria-label'))")
    assert all(label and len(label) > 8 for label in labels)
    assert "σ = (" in page.locator(f"{HOST} .answer .map").first.get_attribute("aria-label")


def test_with_less_motion_few_pictures_are_drawn(visit):
    page = visit(reduced_motion="reduce")
    start(page)
    wait_for_epoch(page, 3)
    assert "Not trained yet" in page.locator(f"{HOST} .part:nth-of-type(3) .said").inner_text()
    page.get_by_role("button", name="pause").click()
    wait_until(page, "page.study.said.textContent.startsWith('After')")


def test_without_scripts_texts_stills_and_numbers_are_there(chromium, address, block):
    with offline_page(chromium, viewport={"width": 700, "height": 900}, java_script_enabled=False) as (page, log):
        page.goto(address)
        for heading in ("Draw a digit", "Follow it to the loss", "Train two models here"):
            assert page.get_by_role("heading", name=heading).is_visible()
        stills = page.locator("img").all()
        assert len(stills) == 2 and all(
            still.bounding_box()["width"] > 400 and len(still.get_attribute("alt")) > 40 for still in stills
        )
        assert page.locator("table").inner_text().count("nats") == 3
        assert page.evaluate("document.documentElement.scrollWidth") <= 700 and log == []


def test_stills_and_table_make_room_for_the_parts(visit):
    page = visit()
    assert not page.locator("img").first.is_visible() and not page.locator("table").is_visible()
    assert page.get_by_role("heading", name="Draw a digit").is_visible()  # the text stays


def test_it_follows_the_page_between_light_and_dark(visit):
    page = visit()
    ground = (
        f"() => getComputedStyle(document.querySelector('{HOST}').shadowRoot.querySelector('.box')).backgroundColor"
    )
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"({ground})() === 'rgb(22, 22, 22)'")
    corner = "c => [...c.getContext('2d').getImageData(3, 3, 1, 1).data]"
    assert page.locator(f"{HOST} .chart").first.evaluate(corner) == [22, 22, 22, 255]


def test_numbers_are_never_rounded_to_nothing(lab):
    found = lab("({ small }) => [0, 1.234, -0.0567, 0.000033, 1.2e-11, -3e-7, 85].map(small)")
    assert found == ["0.00", "1.23", "−0.057", "0.000033", "1.2·10⁻¹¹", "−3.0·10⁻⁷", "85.00"]


@pytest.mark.parametrize("given", ["undefined", "{}", "{ image: 'x', beta: 'NaN' }", "{ image: ' ', beta: '' }",
                                   "{ image: true, beta: {} }", "{ image: 77, beta: '0,5' }"])  # fmt: skip
def test_a_nonsensical_state_changes_nothing(visit, given):
    page = visit()
    page.locator(HOST).evaluate(f"host => host.vae.take({given})")
    assert page.locator(HOST).evaluate("host => host.vae.state()") == {"image": 3, "beta": "0.1"}


def test_its_state_can_be_taken_and_told(visit):
    page = visit()
    page.locator(HOST).evaluate("host => host.vae.take({ image: '6', beta: '1.5' })")
    assert page.locator(HOST).evaluate("host => host.vae.state()") == {"image": 6, "beta": "1.5"}
    page.locator(HOST).evaluate("host => host.vae.take({ image: 0, beta: 0 })")
    assert page.locator(HOST).evaluate("host => host.vae.state()") == {"image": 0, "beta": "0"}
    page.locator(HOST).evaluate("host => host.vae.take({ beta: '1.5' })")
    assert inside(page, "page => page.study.shown.textContent") == "1.50"
