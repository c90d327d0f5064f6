"""What the speed claims rest on: python tools/bench.py [SECTION ...], see SECTIONS

Every claim is a ratio within one run, or a time on this machine printed beside what the machine can do. Loops that are
compared run in alternation. Needs MNIST (VAE_DATA) for figures that can be compared with the budgets.
"""

import json
import runpy
import statistics
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import torch

from vae_helpers.data import load_digit_images
from vae_helpers.losses import bernoulli_nll, kl_to_standard_normal
from vae_helpers.models import VAE, reparameterize, seeded
from vae_helpers.training import fit
from vae_helpers.view import live


def negative_elbo(model, x):
    """Bernoulli reconstruction plus KL, nats per image."""
    mu, logvar = model.encode(x)
    recon = bernoulli_nll(x, model.decode_logits(reparameterize(mu, logvar)))
    kl = kl_to_standard_normal(mu, logvar)
    return {"loss": (recon + kl).mean(), "recon": recon.mean(), "kl": kl.mean()}


def bare_loop(model, x, batch_size):
    """One epoch of the step that fit takes, without its checks, sums and bar."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0, fused=True)
    batches = torch.randperm(len(x)).split(batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=len(batches) + 1)
    for rows in batches:
        loss = negative_elbo(model, x.index_select(0, rows))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def products(model, x, batch_size):
    """The matrix products of one epoch: per layer one forward and two backward, but none for the gradient of x."""
    layers = [part for part in model.modules() if isinstance(part, torch.nn.Linear)]
    ins = [torch.randn(batch_size, layer.in_features) for layer in layers]
    outs = [torch.randn(batch_size, layer.out_features) for layer in layers]
    with torch.no_grad():
        for _ in range(-(-len(x) // batch_size)):
            for i, (layer, a, g) in enumerate(zip(layers, ins, outs, strict=True)):
                torch.addmm(layer.bias, a, layer.weight.T)
                g.T @ a
                if i:
                    g @ layer.weight


def seconds(call):
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def training(data, rounds=5):
    """Our fit against a bare loop of the same step, against its matrix products alone, and with the loss shown."""
    x, start = data.train.x, data.train.x.mean(dim=0)
    for batch_size in (128, 256):
        model = VAE(mean=start)
        options = dict(batch_size=batch_size, quiet=True)
        loops = {
            "bare": lambda m=model, n=batch_size: bare_loop(m, x, n),
            "fit": lambda m=model, o=options: fit(m, x, negative_elbo, epochs=1, **o),
            "products": lambda m=model, n=batch_size: products(m, x, n),
        }
        times = {name: [] for name in loops}
        for i in range(rounds + 1):  # the first round warms up and is dropped
            for name, loop in loops.items():
                times[name] += [seconds(loop)] if i else []
        bare, ours, least = (times[name] for name in loops)
        print(f"one epoch, batch {batch_size}, median of {rounds}: fit {statistics.median(ours):.2f} s", end=" ")
        print(f"= {ratio(ours, bare)} bare loop (budget 1.05) = {ratio(ours, least)} matrix products alone")
    shown = SimpleNamespace(update=lambda *args, **kwargs: None)  # as in a notebook, but sent nowhere
    with mock.patch.multiple(live, is_live=lambda: True, display=lambda *args, **kwargs: shown):
        for _ in range(3):
            watch = live.watch(data.test.x[:12])
            options = dict(epochs=data.epochs, watch=watch, quiet=True)
            spent = seconds(lambda o=options: fit(VAE(mean=start), x, negative_elbo, **o))
            print(f"{data.epochs} epochs: {spent:.1f} s, of which watch took {watch.spent / spent:.1%} (budget 3 %)")


def ratio(ours, theirs):
    """Median and range of the ratios of neighbouring rounds, as text."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) ×"


def cluster(data):
    """Rows of a table per hour, on Dask clusters of 1, 2 and 4 workers of this machine: four runs of chapter 12."""
    import sweep
    from distributed import LocalCluster

    from vae_helpers.studies import factors

    runs, warm = [factors.Run(seed=seed) for seed in range(4)], [factors.Run(seed=seed) for seed in range(4, 8)]
    for workers in (1, 2, 4):
        settings = dict(n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None)
        with LocalCluster(**settings) as local:
            ask = lambda runs, local=local: sweep.on_cluster(  # noqa: E731
                ((sweep.work, run, None) for run in runs), local.scheduler_address
            )
            list(ask(warm[:workers]))  # imports, and the drawing of the pictures
            spent = seconds(lambda ask=ask: list(ask(runs)))
        print(f"{workers} workers: {len(runs) / spent * 3600:.0f} rows an hour ({spent:.0f} s for {len(runs)})")


def elbo(data):
    """Test −ELBO of the recipe's VAE after about 20, 35 and 65 s of training, three seeds each."""
    x, start = data.train.x, data.train.x.mean(dim=0)
    fit(VAE(mean=start), x, negative_elbo, epochs=1, quiet=True)
    per_epoch = seconds(lambda: fit(VAE(mean=start), x, negative_elbo, epochs=2, quiet=True)) / 2
    for budget, goal in ((20, 145), (35, 140), (65, 136.5)):
        epochs = max(1, round(budget / per_epoch))
        for seed in range(3):
            model = VAE(seed=seed, mean=start)
            spent = seconds(lambda m=model, e=epochs, s=seed: fit(m, x, negative_elbo, epochs=e, seed=s, quiet=True))
            with torch.no_grad(), seeded(0):
                test = {name: value.item() for name, value in negative_elbo(model, data.test.x).items()}
            parts = f"{test['recon']:.2f} + {test['kl']:.2f}"
            print(
                f"test -ELBO after {spent:5.1f} s, {epochs} epochs, seed {seed}: {test['loss']:.2f} = {parts} nats",
                end=" ",
            )
            print(f"(budget {goal} at {budget} s)")


def sliders(data, moves=300):
    """Python-side time per slider move: one decoder, two decoders under one cursor, and figures of the chapters."""
    from vae_helpers import latent
    from vae_helpers.view import controls, widgets

    model = VAE()
    codes = torch.randn(2000, 2, generator=torch.Generator().manual_seed(0))
    panel = latent.Panel(model, latent.standard_normal(), codes, torch.arange(2000) % 10)
    controls = {
        "one decoder": (controls.latent_sliders(model.decode, [-2, -2], [2, 2], name="bench-1"), "z1", -2, 2),
        "two decoders": (controls.plane_sliders({"a": panel, "b": panel}, name="bench-2"), "u1", 2.5, 97.5),
    }
    for name, (source, draw, argument) in FIGURES.items():
        exec(source, {})
        controls[name] = widgets._live[draw], argument, -3, 3
    for name, (control, argument, low, high) in controls.items():
        places = np.random.default_rng(0).uniform(low, high, moves)
        times = [seconds(lambda control=control, v=v, a=argument: control.set(**{a: v})) for v in places]
        budget = "matplotlib draws: no budget but the key press's" if name in FIGURES else "budget 1 ms"
        print(f"slider move, Python side, {name}: median {statistics.median(times) * 1e3:.2f} ms ({budget})")


def explorer(data, moves=200):
    """Cursor move to picture in the kernel-free block, in a real browser, from a file."""
    from vae_helpers.view.explorer import explore
    from vae_helpers.view.page import save
    from vae_helpers.weights import shipped_pair

    browsers = runpy.run_path(str(TESTS / "browser.py"))
    with tempfile.TemporaryDirectory() as folder, browsers["browser"]() as chromium:
        save(Path(folder, "page.html"), explore(shipped_pair()))
        page = chromium.new_page(viewport={"width": 1300, "height": 900})
        page.goto(Path(folder, "page.html").as_uri())
        times = page.evaluate(MOVES, moves)
    slow = sorted(times)[int(0.95 * moves)]
    print(
        f"explorer, move to picture: median {statistics.median(times):.1f} ms, 95 % within {slow:.1f} ms (budget 8 ms)"
    )


def lab(data, presses=60):
    """Key press to changed picture in JupyterLab, in a real browser: decoders, figures of the chapters, a scrubber."""
    tools = runpy.run_path(str(TESTS / "browser.py"))
    with (
        tempfile.TemporaryDirectory() as folder,
        tools["browser"]() as chromium,
        tools["jupyterlab"](Path(folder), [source for source, _ in LAB_CELLS.values()]) as url,
    ):
        page = chromium.new_page(viewport={"width": 1300, "height": 1600})
        tools["run_all_cells"](page, url, ".jp-CodeCell:last-of-type .jp-OutputArea-output img")
        for number, (name, (_, watched)) in enumerate(LAB_CELLS.items()):
            output = page.locator(".jp-CodeCell").nth(number).locator(".jp-OutputArea-output")
            output.locator(watched).last.evaluate(WATCH)
            output.locator(".noUi-handle").first.focus()
            for i in range(presses):
                page.keyboard.press("ArrowRight" if i % 20 < 10 else "ArrowLeft")  # to and fro
                page.wait_for_function(f"window.times.length > {i}")
            median = statistics.median(page.evaluate("window.times"))
            print(f"JupyterLab, key press to changed picture, {name}: median {median:.0f} ms (budget 60 ms)")


def site(data, moves=60):
    """The static site: time to build, first paint of every page, and a control's move to its second painted frame."""
    build = runpy.run_path(str(TESTS.parent / "tools" / "site" / "build.py"))["main"]
    tools = runpy.run_path(str(TESTS / "browser.py"))
    with tempfile.TemporaryDirectory() as scratch, tools["browser"]() as chromium:
        folder, start = Path(scratch, "site"), time.perf_counter()
        build(["--to", str(folder)])
        print(f"site, built in {time.perf_counter() - start:.0f} s (budget 60 s)")
        page, paints, controls = chromium.new_page(viewport={"width": 1300, "height": 900}), {}, {}
        for path in sorted(folder.glob("*.html")):
            page.goto(path.as_uri())
            paints[path.stem] = page.evaluate(PAINT)
            page.wait_for_function(ALIVE)
            for host in page.locator("[data-vae-frames]").all():
                host.scroll_into_view_if_needed()
                place = f"{path.stem}#{host.evaluate('host => host.closest(`section[id]`).id')}"
                controls[place] = statistics.median(host.evaluate(SLIDES, moves))
    worst = max(paints, key=paints.get)
    median = statistics.median(paints.values())
    print(f"site, first paint: median {median:.0f} ms, slowest {paints[worst]:.0f} ms, {worst} (budget 1 s)")
    for place, median in controls.items():
        print(f"site, move to second painted frame, {place}: median {median:.0f} ms (budget 33, areas 60)")


def playground_page(data):
    """The playground: from opening the file to two trained planes, and what its own thread does meanwhile."""
    from vae_helpers.view import page as pages
    from vae_helpers.view.playground import playground

    tools = runpy.run_path(str(TESTS / "browser.py"))
    with tempfile.TemporaryDirectory() as scratch, tools["browser"]() as chromium:
        path = Path(scratch, "playground.html")
        pages.save(path, playground())
        for width in (1300, 390):
            page, start = chromium.new_page(viewport={"width": width, "height": 900}), time.perf_counter()
            page.goto(path.as_uri())
            page.wait_for_function("document.querySelector('[data-vae-playground]').playground?.study.report")
            page.evaluate(FRAMES)
            page.locator("button", has_text="▶").click()
            running = "document.querySelector('[data-vae-playground]').playground.study.running"
            page.wait_for_function(f"!{running}", timeout=0)
            trained = time.perf_counter() - start
            epochs, frames, long, drawn = page.evaluate("[epochs(), gaps, long, drawn]")
            print(
                f"playground at {width} pixels: opened and {epochs} epochs trained in {trained:.1f} s (budget 15 s), "
                f"longest time between frames {max(frames):.0f} ms (budget 50), {len(long)} tasks over 50 ms, "
                f"a picture drawn in {statistics.median(drawn):.0f} ms (median), {max(drawn):.0f} (slowest)"
            )
            page.close()


FRAMES = """() => {
    const { study } = document.querySelector("[data-vae-playground]").playground, draw = study.draw.bind(study);
    Object.assign(window, { gaps: [], long: [], drawn: [], epochs: () => study.report.epoch });
    new PerformanceObserver((list) => window.long.push(...list.getEntries().map((task) => task.duration)))
        .observe({ entryTypes: ["longtask"] });
    study.draw = () => { const start = performance.now(); draw(); window.drawn.push(performance.now() - start); };
    let last = null;
    const tick = (now) => { if (last !== null) window.gaps.push(now - last); last = now; requestAnimationFrame(tick); };
    requestAnimationFrame(tick);
}"""
ALIVE = "[...document.querySelectorAll('[data-vae-frames]')].every((host) => host.shadowRoot)"
PAINT = """() => new Promise((done) => new PerformanceObserver((list) => done(list.getEntries()[0].startTime))
    .observe({ type: "paint", buffered: true }))"""
SLIDES = """async (host, moves) => {
    const inputs = [...host.shadowRoot.querySelectorAll("input")], times = [];
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    for (let i = 0; i < moves; i++) {
        const input = inputs[i % inputs.length];
        await frame();
        const start = performance.now();
        input.value = (i * 7) % (Number(input.max) + 1);
        input.dispatchEvent(new Event("input"));
        await frame();
        await frame();
        times.push(performance.now() - start);
    }
    return times;
}"""


def chapter_cells(chapter, *ids):
    """The source of some cells of a chapter, so that its own controls are measured."""
    text = Path(__file__).parents[1].joinpath("notebooks", f"{chapter}.ipynb").read_text(encoding="utf-8")
    sources = {cell["id"]: "".join(cell["source"]) for cell in json.loads(text)["cells"]}
    return "\n".join(sources[i] for i in ids)


TESTS = Path(__file__).parents[1] / "tests"
IMPORTS = """import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy import stats
from vae_helpers import latent
from vae_helpers.view import controls, widgets
from vae_helpers.models import VAE
from vae_helpers.view.picture import COLORS, picture
plt.style.use("vae_helpers.view.vae")
"""
KL_NORMAL = """
def kl_normal(mu, sigma, m, s):
    return np.log(s / sigma) + (sigma**2 + (mu - m) ** 2) / (2 * s**2) - 0.5
"""
FIGURES = {
    "a cloud of points (chapter 02)": (
        IMPORTS + chapter_cells("02_encode_a_distribution", "cloud", "cloud-control"),
        "draw_cloud",
        "mu1",
    ),
    "curves and areas (chapter 05)": (
        IMPORTS + KL_NORMAL + chapter_cells("05_kl_term", "draw-ground", "draw", "control"),
        "draw_kl",
        "mu",
    ),
}
MOVES = """moves => {
    const host = document.querySelector("[data-vae-explorer]"), times = [];
    for (let i = 0; i < moves; i++) {
        const start = performance.now(), u = 0.5 + 0.4 * Math.sin(i);
        host.explorer.move([u, 1 - u]);
        times.push(performance.now() - start);
    }
    return times;
}"""
LAB_CELLS = {  # source, and what changes last on its page
    "one decoder": (
        IMPORTS + """controls.latent_sliders(VAE().decode, [-40, -40], [40, 40], name="one")""",
        "img",
    ),
    "two decoders": (
        """codes = latent.standard_normal().sample(2000)
panels = {f"seed {s}": latent.Panel(VAE(seed=s), latent.standard_normal(), codes) for s in (1, 2)}
controls.plane_sliders(panels, name="two")""",
        "img",
    ),
    **{name: (source, ".vae-layer") for name, (source, *_) in FIGURES.items()},
    "a scrubber": (
        """def still(step):
    fig, ax = picture("small", alt=f"up to {step}")
    ax.plot([0, step])
    return fig
control = controls.scrubber(still, range(70))
control.set(step=0)
control""",
        "img",
    ),
}
WATCH = """element => {
    window.times = [];
    let start = 0;
    const done = () => window.times.push(performance.now() - start);
    document.addEventListener("keydown", () => { start = performance.now(); }, true);
    element.addEventListener("load", done);
    if (element.tagName != "IMG") new MutationObserver(done).observe(element, {childList: true, subtree: true});
}"""
SECTIONS = {"training": training, "elbo": elbo, "sliders": sliders, "explorer": explorer, "lab": lab, "site": site}
SECTIONS |= {"playground": playground_page, "cluster": cluster}


def main(names):
    """Run the named sections, or all of them."""
    if unknown := set(names) - set(SECTIONS):
        sys.exit(f"unknown section {', '.join(sorted(unknown))}: choose from {', '.join(SECTIONS)}.")
    data = load_digit_images()
    machine = f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    print(f"torch {torch.__version__}, {machine}; {data.note}")
    for name in names or SECTIONS:
        SECTIONS[name](data)


if __name__ == "__main__":
    main(sys.argv[1:])
