"""What the speed claims rest on: python tools/bench.py [training elbo sliders explorer lab]

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

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from vae_helpers.data import load_digit_images
from vae_helpers.losses import bernoulli_nll, kl_to_standard_normal
from vae_helpers.models import VAE, reparameterize, seeded
from vae_helpers.training import fit


def negative_elbo(model, x):
    """Bernoulli reconstruction plus KL, nats per image."""
    mu, logvar = model.encode(x)
    recon = bernoulli_nll(x, model.decode_logits(reparameterize(mu, logvar)))
    kl = kl_to_standard_normal(mu, logvar)
    return {"loss": (recon + kl).mean(), "recon": recon.mean(), "kl": kl.mean()}


class Images(Dataset):
    """What torchvision's MNIST does per item: an image from bytes, then ToTensor."""

    def __init__(self, x):
        from torchvision.transforms import ToTensor

        self.pixels = (x * 255).round().to(torch.uint8).reshape(-1, 28, 28).numpy()
        self.to_tensor = ToTensor()

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, i):
        return self.to_tensor(Image.fromarray(self.pixels[i]))


def dataloader_epoch(model, loader, optimizer):
    """One epoch of the loop that the standard PyTorch example uses."""
    for batch in loader:
        optimizer.zero_grad()
        negative_elbo(model, batch.reshape(len(batch), -1))["loss"].backward()
        optimizer.step()


def seconds(call):
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def training(data, rounds=3):
    """Our fit against the DataLoader loop, and against a large matrix product."""
    x = data.train.x
    ours, theirs = VAE(20, hidden=(400,)), VAE(20, hidden=(400,))
    loader = DataLoader(Images(x), batch_size=128, shuffle=True)
    optimizer = torch.optim.Adam(theirs.parameters(), lr=1e-3)
    a = torch.randn(2048, 2048)
    times = {"fit": [], "loop": [], "matmul": []}
    for i in range(rounds + 1):  # the first round warms up and is dropped
        measured = {
            "fit": seconds(lambda: fit(ours, x, negative_elbo, epochs=1, batch_size=128, lr=1e-3)),
            "loop": seconds(lambda: dataloader_epoch(theirs, loader, optimizer)),
            "matmul": min(seconds(lambda: a @ a) for _ in range(10)),
        }
        for name, value in measured.items() if i else ():
            times[name].append(value)
    fit_s, loop_s, matmul_s = (statistics.median(times[name]) for name in ("fit", "loop", "matmul"))
    weights = sum(p.numel() for p in ours.parameters() if p.ndim == 2)
    arithmetic, product = 6 * weights * len(x) / fit_s, 2 * 2048**3 / matmul_s
    print(f"one epoch, 784-400-20, batch 128, float32: fit {fit_s:.2f} s, DataLoader loop {loop_s:.2f} s")
    print(f"  ratio loop / fit {loop_s / fit_s:.2f} (budget 2)")
    print(
        f"  arithmetic {arithmetic / 1e9:.0f} of {product / 1e9:.0f} GFLOP/s: {arithmetic / product:.0%} (budget 65 %)"
    )


def elbo(data, batch_size=256):
    """Test −ELBO of the default 2-D VAE after 15, 30 and 60 s of training."""
    x = data.train.x
    fit(VAE(), x[:10_000], negative_elbo, epochs=1, batch_size=batch_size)
    per_epoch = seconds(lambda: fit(VAE(), x, negative_elbo, epochs=1, batch_size=batch_size))
    for budget, goal in ((15, 141), (30, 138), (60, 136)):
        model, epochs = VAE(), max(1, round(budget / per_epoch))
        spent = seconds(
            lambda model=model, epochs=epochs: fit(model, x, negative_elbo, epochs=epochs, batch_size=batch_size)
        )
        with torch.no_grad(), seeded(0):
            test = {name: value.item() for name, value in negative_elbo(model, data.test.x).items()}
        parts = f"{test['recon']:.2f} + {test['kl']:.2f}"
        print(f"test -ELBO after {spent:5.1f} s, {epochs} epochs: {test['loss']:.2f} = {parts} nats", end=" ")
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
from vae_helpers.view import controls, style, widgets
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
    fig, ax = style.picture("small", alt=f"up to {step}")
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
SECTIONS = {"training": training, "elbo": elbo, "sliders": sliders, "explorer": explorer, "lab": lab}


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
