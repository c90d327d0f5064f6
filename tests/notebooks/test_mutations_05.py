"""Chapter 05 stops with an assert when a formula is wrong: each row changes one and names the cell that objects."""

import ast
import json
from pathlib import Path

import matplotlib
import pytest

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "05_kl_term.ipynb"

# the gauge identity holds for any weights and any images, so nothing is trained here
UNTRAINED = """
from types import SimpleNamespace
from vae_helpers.models import VAE
model = VAE(seed=0)
data = SimpleNamespace(train=SimpleNamespace(x=torch.rand(500, 784, generator=torch.Generator().manual_seed(0))))
"""

# cell that is changed, what stands there, what replaces it, cell that stops
MUTATIONS = [
    ("symbols", "- sp.log(std) - (z", "- (z", "moments"),
    ("symbols", "(2 * std**2)", "(std**2)", "moments"),
    ("line-two", "- sp.Rational(1, 2)", "+ sp.Rational(1, 2)", "line-two"),
    ("line-three-check", "+ (mu - m) ** 2", "- (mu - m) ** 2", "line-three-check"),
    ("line-four-symbolic", "sp.log(s / sigma)", "sp.log(sigma / s)", "line-four-symbolic"),
    ("line-five-check", "sp.log(sigma**2)", "sp.log(sigma)", "line-five-check"),
    ("trace-check", "torch.trace(A @ cov_q)", "torch.trace(A)", "trace-check"),
    ("general-formula", "0.5 * (log_ratio - len(mean_q)", "0.5 * (log_ratio", "general-check"),
    (
        "general-formula",
        "torch.logdet(cov_p) - torch.logdet(cov_q)",
        "torch.logdet(cov_q) - torch.logdet(cov_p)",
        "general-check",
    ),
    ("general-formula", "torch.trace(A @ cov_q)", "torch.trace(A * cov_q.diagonal())", "general-check"),
    ("diagonal-steps", "logvar.sum())", "logvar.mean())", "diagonal-steps"),
    ("kl-closed-form", "0.5 * ", "", "kl-check"),
    ("kl-closed-form", ".sum(dim=-1)", ".mean(dim=-1)", "kl-check"),
    ("kl-closed-form", ".sum(dim=-1)", ".sum()", "kl-check"),
    ("kl-closed-form", "- 1 - logvar", "- 1 + logvar", "kl-check"),
    ("kl-closed-form", "logvar.exp() - 1 - logvar", "(2 * logvar).exp() - 1 - 2 * logvar", "kl-check"),
    ("affine", "B @ cov_q @ B.T", "B @ cov_q", "affine"),
    ("variance-check", "(sigma**2 - 1) ** 2 / 2", "(sigma**2 - 1) ** 2", "variance-check"),
    ("sampling", "0.5 * (q.variance - 1)", "(q.variance - 1)", "sampling-run"),
    ("sampling", "2 * q.stddev.log()", "q.stddev.log()", "sampling-run"),
    ("trap-symbolic", "sp.exp(mu**2 / a)", "sp.exp(-(mu**2) / a)", "trap-symbolic"),
    ("gradients-compare", "width - 1 / width)", "(width - 1) / width)", "gradients-compare"),
    ("gradients-compare", "(2 * width)", "width", "gradients-compare"),
    ("gradients-compare", "(place.exp() - 1) / 2", "(place - 1) / 2", "gradients-compare"),
    ("draw", "1 / sigma - sigma", "sigma - 1 / sigma", "gradients-compare"),
    ("descent", "path[-1] - lr", "path[-1] + lr", "descent-run"),
    ("parts", "0.5 * (mu**2 + ell.exp())", "0.5 * (mu**2 + ell.exp() - ell)", "parts-check"),
    ("trained-entropy", "+ np.log(2 * np.pi)", "- np.log(2 * np.pi)", "trained-entropy"),
    ("sum-mean-check", "784 / 2)", "784)", "sum-mean-check"),
    ("model-moments", ".mean(dim=0) - m.square()", ".mean(dim=0)", "gauge"),
    ("change-units", "2 * c.log()", "c.log()", "gauge"),
    ("change-units", "head.bias[:d] - m", "head.bias[:d] + m", "gauge"),
    ("change-units", "first.bias += first.weight @ m", "first.bias -= first.weight @ m", "gauge-images-equal"),
    ("gauge", "- c.square().log()", "- c.log()", "gauge"),
]


@pytest.fixture(scope="module")
def chapter():
    """Cells in order, {slug: source}, and what each cell finds when it starts, {slug: namespace}."""
    matplotlib.use("agg")
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = {cell["id"]: "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"}
    code = {slug: source for slug, source in code.items() if not slug.endswith(("-figure", "control", "-frames"))}
    code["train"] = UNTRAINED
    code.pop("summary-numbers")
    before, namespace = {}, {}
    for slug, source in code.items():
        before[slug] = dict(namespace)
        exec(definitions(source), namespace)
    return code, before


def definitions(source):
    """The cell without its top-level asserts and prints: what later cells need, in a fraction of the time."""
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if not isinstance(node, (ast.Assert, ast.Expr))]
    return compile(tree, "cell", "exec")


@pytest.mark.parametrize(("slug", "old", "new", "catcher"), MUTATIONS)
def test_a_wrong_formula_stops_the_chapter(chapter, slug, old, new, catcher):
    code, before = chapter
    assert code[slug].count(old) == 1, f"{slug} no longer holds {old!r} once"
    slugs = list(code)
    between = slugs[slugs.index(slug) : slugs.index(catcher) + 1]
    namespace = dict(before[slug])
    with pytest.raises(AssertionError):
        for each in between:
            exec(code[each].replace(old, new) if each == slug else code[each], namespace)
    assert each == catcher
