"""Chapter 05 and its appendix stop with an assert when a formula is wrong: each row changes one and names the cell."""

import ast
import json
from pathlib import Path

import matplotlib
import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
CHAPTER, APPENDIX = "05_kl_term", "05a_kl_proofs"

# the gauge identity holds for any weights and any images, so nothing is trained here
UNTRAINED = """
from types import SimpleNamespace
model = models.VAE(seed=0)
digits = SimpleNamespace(train=SimpleNamespace(x=torch.rand(500, 784, generator=torch.Generator().manual_seed(0))))
"""

# cell that is changed, what stands there, what replaces it, cell that stops
IN_CHAPTER = [
    ("definition-number", "q.logpdf(z) - p.logpdf(z)", "p.logpdf(z) - q.logpdf(z)", "formula"),
    ("formula", "+ sigma**2 - 1", "+ sigma - 1", "formula"),
    ("formula", "np.log(sigma**2)", "np.log(sigma)", "formula"),
    ("price-of-a-bit", "0.5**k", "0.25**k", "price-of-a-bit"),
    ("draw", "(log_q - stats.norm.logpdf(grid))", "(log_q + stats.norm.logpdf(grid))", "draw-area"),
    ("draw", "s) - 1, *at)", "s) - 2, *at)", "one-nat"),
    ("draw", "(2 - 2 * kl(0.0, heights))", "(2 - kl(0.0, heights))", "one-nat"),
    ("draw", "(1 - sigma**2) / 2", "(sigma**2 - 1) / 2", "gradients-check"),
    ("draw", "(1 - sigma**2) / 2", "1 / sigma - sigma", "gradients-check"),
    ("draw-area", "np.linspace(-1.6, 1.6, 9)", "np.linspace(-3, 3, 9)", "draw-area"),
    ("symbols", "- sp.log(std) - (z", "- (z", "average"),
    ("symbols", "(2 * std**2)", "(std**2)", "average"),
    ("line-two", "- sp.Rational(1, 2)", "+ sp.Rational(1, 2)", "line-two"),
    ("line-three-check", "+ (mu - m) ** 2", "- (mu - m) ** 2", "line-three-check"),
    ("line-four-symbolic", "sp.log(s / sigma)", "sp.log(sigma / s)", "line-four-symbolic"),
    ("line-five-check", "sp.log(sigma**2)", "sp.log(sigma)", "line-five-check"),
    ("kl-closed-form", "0.5 * ", "", "kl-check"),
    ("kl-closed-form", ".sum(dim=-1)", ".mean(dim=-1)", "kl-check"),
    ("kl-closed-form", ".sum(dim=-1)", ".sum()", "kl-check"),
    ("kl-closed-form", "- 1 - logvar", "- 1 + logvar", "kl-check"),
    ("kl-closed-form", "logvar.exp() - 1 - logvar", "(2 * logvar).exp() - 1 - 2 * logvar", "kl-check"),
    ("sampling", "0.5 * (q.variance - 1)", "(q.variance - 1)", "sampling-check"),
    ("sampling", "q.mean.square() * q.variance", "q.mean.square() * q.stddev", "sampling-check"),
    ("sampling", "q.variance.log()", "q.stddev.log()", "sampling-check"),
    ("sampling", "variance.sqrt() / 1000", "variance.sqrt() / 100", "sampling-check"),
    ("sampling-check", "q.stddev.log()", "q.variance.log()", "sampling-check"),
    ("gradients-check", "width - 1 / width)", "(width - 1) / width)", "gradients-check"),
    ("gradients-check", "(place.exp() - 1) / 2", "(place - 1) / 2", "gradients-check"),
    ("descent", "path[-1] - lr", "path[-1] + lr", "descent-run"),
    ("descent", "2 * np.log(sigma)", "np.log(sigma)", "descent-run"),
    ("parts-trained", '["sigma"] / rows', '["sigma"] ** 2 / rows', "parts-trained-check"),
    ("parts-trained", 'rows["sigma"] / rows["spread"]', 'rows["sigma"]', "parts-trained-check"),
    ("cross-entropy", "+ np.log(2 * np.pi)", "- np.log(2 * np.pi)", "cross-entropy"),
    ("cross-entropy", "+ logvar.exp()", "+ logvar", "cross-entropy"),
    ("modes", " - np.log(2)", "", "modes-check"),
    ("modes", "to_p, to_q = log_fit", "to_q, to_p = log_fit", "modes-check"),
    ("modes", "(0.5 * logvar)", "logvar", "modes-check"),
    ("sum-mean", "mean_kl, 392", "mean_kl, 784", "sum-mean"),
    ("sum-mean", "mean_kl = 0.5 * (", "mean_kl = (", "sum-mean"),
    ("model-moments", ".mean(dim=0) - m.square()", ".mean(dim=0)", "gauge"),
    ("change-units", "2 * c.log()", "c.log()", "gauge"),
    ("change-units", "head.bias[:d] - m", "head.bias[:d] + m", "gauge"),
    ("change-units", "first.bias += first.weight @ m", "first.bias -= first.weight @ m", "gauge-images"),
    ("change-units", "first.weight *= c", "first.weight /= c", "gauge-images"),
    ("gauge", "- c.square().log()", "- c.log()", "gauge"),
    ("gauge-beta", "- np.log(second", "+ np.log(second", "gauge-beta"),
    ("gauge-beta", "second - 1 -", "second -", "gauge-beta"),
    ("gauge-beta", "owed / paid", "owed", "gauge-beta"),
]
IN_APPENDIX = [
    ("exact-points", "* d**0.5", "* d", "exact-points"),
    ("trace-check", "torch.trace(A @ cov_q)", "torch.trace(A)", "trace-check"),
    ("general-formula", "0.5 * (log_ratio - len(mean_q)", "0.5 * (log_ratio", "general-check"),
    (
        "general-formula",
        "torch.logdet(cov_p) - torch.logdet(cov_q)",
        "torch.logdet(cov_q) - torch.logdet(cov_p)",
        "general-check",
    ),
    ("general-formula", "torch.trace(A @ cov_q)", "torch.trace(A * cov_q.diagonal())", "general-check"),
    ("determinant", ".log().sum()", ".log().mean()", "determinant"),
    ("diagonal-check", "torch.diag(logvar.exp())", "torch.diag(logvar.exp().sqrt())", "diagonal-check"),
    ("affine", "B @ cov_q @ B.T", "B @ cov_q", "affine"),
    ("convex", "sp.exp(ell) - 1 - ell", "sp.exp(ell) - 1 - 2 * ell", "convex"),
    ("slopes", "(sp.exp(ell) - 1) / 2", "sp.exp(ell) - 1", "slopes"),
    ("slopes", "(sigma - 1 / sigma)", "((sigma - 1) / sigma)", "slopes"),
    ("slopes", "(2 * v)", "v", "slopes"),
    ("parts", "at - lr * slope", "at + lr * slope", "parts-check"),
    ("parts-check", "np.exp(t / 4)", "np.exp(t / 2)", "parts-check"),
    ("parts-check", "1 / 0.5**2 + t / 2", "1 / 0.5 + t / 2", "parts-check"),
    ("moments", "-(eps**2) / 2", "-(eps**2)", "moments"),
    ("variance-check", "(sigma**2 - 1) ** 2 / 2", "(sigma**2 - 1) ** 2", "variance-check"),
    ("variance-check", "- average_over_eps(draw) ** 2", "", "variance-check"),
    ("sampling", "0.5 * (q.variance - 1)", "(q.variance - 1)", "sampling-run"),
    ("sampling", "q.variance.log()", "q.stddev.log()", "sampling-run"),
    ("trap-symbolic", "sp.exp(mu**2 / a)", "sp.exp(-(mu**2) / a)", "trap-symbolic"),
    ("trap-sample", "np.log(2) - 0.5", "np.log(4) - 0.5", "trap-sample"),
    ("orders", "np.log(s / sigma)", "np.log(sigma / s)", "orders"),
    ("triangle", "(0.0, 1.0, 2.0, 1.0)", "(0.0, 1.0, 1.0, 1.0)", "triangle"),
]
MUTATIONS = [(CHAPTER, *row) for row in IN_CHAPTER] + [(APPENDIX, *row) for row in IN_APPENDIX]


@pytest.fixture(scope="module")
def notebooks():
    """Per notebook: cells in order, {slug: source}, and what each cell finds when it starts, {slug: namespace}."""
    matplotlib.use("agg")
    with pytest.MonkeyPatch.context() as patch, matplotlib.rc_context():  # the chapters set a style
        patch.chdir(NOTEBOOKS)  # where the stored tables are
        yield {name: prepared(name) for name in (CHAPTER, APPENDIX)}


def prepared(name):
    cells = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    code = {cell["id"]: "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"}
    code = {slug: source for slug, source in code.items() if not slug.endswith(("-figure", "control", "-numbers"))}
    if "train" in code:
        code["train"] = UNTRAINED
    before, namespace = {}, {}
    for slug, source in code.items():
        before[slug] = dict(namespace)
        exec(definitions(source), namespace)
    return code, before


def definitions(source):
    """The cell without its top-level asserts and prints: what later cells need, in a fraction of the time."""
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if not isinstance(node, ast.Assert) and not prints(node)]
    return compile(tree, "cell", "exec")


def prints(node):
    return isinstance(node, ast.Expr) and ast.unparse(node).startswith("print(")


@pytest.mark.parametrize(("name", "slug", "old", "new", "catcher"), MUTATIONS)
def test_a_wrong_formula_stops_the_chapter(notebooks, name, slug, old, new, catcher):
    code, before = notebooks[name]
    assert code[slug].count(old) == 1, f"{slug} no longer holds {old!r} once"
    slugs = list(code)
    between = slugs[slugs.index(slug) : slugs.index(catcher) + 1]
    namespace = dict(before[slug])
    with pytest.raises(AssertionError):
        for each in between:
            exec(code[each].replace(old, new) if each == slug else code[each], namespace)
    assert each == catcher
