"""Every exercise: its solution passes, each known mistake is refused by name, and nonsense is survived."""

import ast
import concurrent.futures
import functools
import json
import queue
import signal
import time
from pathlib import Path

import fill_exercises
import numpy as np
import pytest
import torch

from vae_helpers import exercises, progress
from vae_helpers.exercises import ALL, core
from vae_helpers.exercises.core import judged

ROOT = Path(__file__).parents[1]
EACH = pytest.mark.parametrize("exercise", ALL.values(), ids=ALL)


@EACH
def test_the_solution_is_right(exercise):
    assert judged(exercise, exercise.made(exercise.solution)) == (True, "right.")
    assert exercise.hints and exercise.minutes > 0 and exercise.because


@EACH
def test_every_mistake_is_refused_with_its_own_sentence(exercise):
    assert len(exercise.mistakes) >= 4
    said = [judged(exercise, exercise.made(source)) for source in exercise.mistakes]
    assert said == [(False, sentence) for sentence in exercise.mistakes.values()]
    assert len(set(exercise.mistakes.values())) == len(exercise.mistakes)


@EACH
def test_the_blank_is_not_answered_yet(exercise):
    as_it_came = core.AS_IT_CAME * exercise.patient
    assert judged(exercise, exercise.made(exercise.blank)) == (False, f"not answered yet{as_it_came}.")
    assert judged(exercise, None) == judged(exercise, ...) or not exercise.patient
    assert exercise.cell.endswith(f'exercises.check("{exercise.name}", {exercise.variable})')


class Odd:
    def __eq__(self, other):
        raise RuntimeError("no comparison")

    __hash__ = None


NONSENSE = ["?", float("nan"), torch.full((3, 5), torch.nan), [], {}, Odd(), object, -1, (1, 2, 3), torch.ones(0)]


@EACH
def test_nonsense_is_refused_and_raises_nothing(exercise):
    for value in NONSENSE:
        for answer in (value, lambda *args, value=value: value):
            right, words = judged(exercise, answer)
            assert not right and len(words) < 250, words


@EACH
def test_an_answer_that_raises_is_quoted(exercise):
    def answer(*args):
        raise KeyError("mine")

    right, words = judged(exercise, answer)
    assert not right and ("KeyError: 'mine'" in words or not exercise.probes)


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN], ids=["usual", "in the background"])
def test_an_endless_answer_is_stopped(monkeypatch, request, handler):
    request.addfinalizer(functools.partial(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, handler)))

    def answer(*args):
        while True:
            pass

    start = time.perf_counter()
    with monkeypatch.context() as impatient:
        impatient.setattr(core, "SECONDS", 0.2)
        right, words = judged(ALL["kl-slope"], answer)
    assert not right and words.startswith("your answer took longer than")
    assert time.perf_counter() - start < 30  # and the next one is judged as if nothing had happened
    assert judged(ALL["kl-slope"], lambda sigma: sigma - 1 / sigma)[0]
    assert signal.getsignal(signal.SIGINT) == handler


def test_an_answer_is_judged_in_a_thread_too():
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        told = pool.submit(judged, ALL["kl-slope"], lambda sigma: sigma - 1 / sigma).result(timeout=60)
    assert told == (True, "right.")


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signal that wakes a thread")
@pytest.mark.parametrize("kind", ["sleep", "queue"])
def test_an_answer_that_waits_is_stopped(monkeypatch, kind):
    def answer(sigma):
        {"sleep": lambda: time.sleep(60), "queue": lambda: queue.Queue().get(timeout=60)}[kind]()
        raise KeyError("not stopped")

    monkeypatch.setattr(core, "SECONDS", 0.2)
    assert judged(ALL["kl-slope"], answer)[1].startswith("your answer took longer than")


def test_a_talkative_answer_is_stopped_and_a_quiet_one_prints_nothing(capsys):
    def talks(sigma):
        for _ in range(10**6):
            print("still here")

    assert judged(ALL["kl-slope"], talks)[1].startswith("your answer printed more than 2000 characters")

    def murmurs(sigma):
        print("aha")
        return sigma - 1 / sigma

    assert judged(ALL["kl-slope"], murmurs)[0] and capsys.readouterr().out == ""


def test_an_answer_cannot_move_the_random_numbers_or_the_probes_of_others():
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)

    def spoils(mu, logvar):
        torch.manual_seed(99)
        mu.zero_()
        return mu.sum(dim=1)

    assert not judged(ALL["kl-one-line"], spoils)[0] and torch.equal(torch.rand(1), expected)
    assert judged(ALL["kl-one-line"], ALL["kl-one-line"].made(ALL["kl-one-line"].solution))[0]


def test_check_says_one_thing_and_remembers_what_was_solved(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exercises.check("kl-slope", ...)
    assert capsys.readouterr().out == 'kl-slope: not answered yet. exercises.hint("kl-slope") helps.\n'
    assert not list(tmp_path.iterdir())
    exercises.check("kl-slope", lambda sigma: sigma - 1 / sigma)
    assert capsys.readouterr().out.startswith("kl-slope: right. Zero at σ = 1")
    exercises.check("kl-slope", lambda sigma: sigma - 1 / sigma)
    assert progress.read("exercises") == {"kl-slope": True}
    capsys.readouterr()
    exercises.progress()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(exercises.CHAPTERS) and "05: 1 of 5: · kl-one-line, ✓ kl-slope" in lines[4]
    exercises.progress("05")
    assert capsys.readouterr().out.splitlines() == lines[4:5]
    with pytest.raises(ValueError, match=r"the chapter must be one of 01, .* got '5'"):
        exercises.progress("5")


def test_hints_come_one_by_one_and_the_solution_last(monkeypatch, capsys):
    monkeypatch.setattr(exercises, "_asked", {})
    exercises.solution("kl-slope")
    exercises.hint("kl-slope")
    exercises.solution("kl-slope")
    lines = capsys.readouterr().out
    first, second, last = lines.index("1 of 2"), lines.index("2 of 2"), lines.index("def my_slope")
    assert first < second < last


def test_an_unknown_name_is_an_error_that_lists_the_names():
    with pytest.raises(ValueError, match="there is no exercise 'kl'; there are squared-error, "):
        exercises.check("kl", 1)


@pytest.mark.parametrize("chapter", exercises.CHAPTERS)
def test_a_chapter_holds_its_exercises_as_they_are_kept(chapter):
    [path] = (ROOT / "notebooks").glob(f"{chapter}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert fill_exercises.fill(cells) == []
    here = [cell["id"].removeprefix("exercise-") for cell in cells if cell["id"].startswith("exercise-")]
    assert here == [name for e in exercises.CHAPTERS[chapter] for name in (f"{e.name}-text", e.name)]


@pytest.mark.parametrize("chapter", exercises.CHAPTERS)
def test_a_solution_needs_only_what_its_chapter_has_imported(chapter):
    [path] = (ROOT / "notebooks").glob(f"{chapter}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    bound = {
        alias.asname or alias.name.split(".")[0]
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    for exercise in exercises.CHAPTERS[chapter]:
        used = {node.id for node in ast.walk(ast.parse(exercise.solution)) if isinstance(node, ast.Name)}
        assert used & {"torch", "F", "np", "math"} <= bound, exercise.name


@pytest.mark.parametrize("chapter", exercises.CHAPTERS)
def test_a_blank_takes_no_name_from_its_chapter(chapter):
    [path] = (ROOT / "notebooks").glob(f"{chapter}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    theirs = "exercise-", "ward-", "yours"  # the cells that work with what a learner wrote
    others = [c for c in cells if c["cell_type"] == "code" and not c["id"].startswith(theirs)]
    trees = [node for cell in others for node in ast.walk(ast.parse("".join(cell["source"])))]
    words = {node.id for node in trees if isinstance(node, ast.Name)}
    words |= {node.name for node in trees if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    taken = [exercise.variable for exercise in exercises.CHAPTERS[chapter]]
    assert not words & set(taken) and len(set(taken)) == len(taken)


def test_a_changed_task_is_found_and_brought_in_line():
    exercise = ALL["kl-slope"]
    cells = [
        {"id": "exercise-kl-slope-text", "cell_type": "markdown", "source": "old"},
        {"id": "exercise-kl-slope", "cell_type": "code", "source": ["old\n", "cell"]},
        {"id": "other", "cell_type": "code", "source": "mine"},
    ]
    assert fill_exercises.fill(cells) == ["exercise-kl-slope-text", "exercise-kl-slope"]
    assert cells[0]["source"] == exercise.text and "".join(cells[1]["source"]) == exercise.cell
    assert fill_exercises.fill(cells) == [] and cells[2]["source"] == "mine"
    fill_exercises.fill(cells, solved=True)
    assert "".join(cells[1]["source"]).startswith(exercise.solution)


@pytest.mark.parametrize(("said", "found"), [("kl-slope: right. Good.\n", 0), ("kl-slope: not yet: …", 1), ("", 1)])
def test_a_refused_solution_is_reported(said, found):
    cell = {"id": "exercise-kl-slope", "cell_type": "code", "outputs": [{"output_type": "stream", "text": said}]}
    assert len(fill_exercises.refused([cell])) == found


def test_the_right_value_counts_in_any_type():
    one, test = ALL["kl-one-line"], ALL["sampler-test"]
    solved, tried = one.made(one.solution), test.made(test.solution)
    assert judged(ALL["kl-slope"], lambda sigma: np.float64(sigma - 1 / sigma))[0]
    assert judged(one, lambda mu, logvar: solved(mu, logvar).numpy())[0]
    assert judged(one, lambda mu, logvar: solved(mu.double(), logvar.double()))[0]
    for kind in (torch.tensor, np.bool_, int):
        assert judged(test, lambda sampler, kind=kind: kind(tried(sampler)))[0]
    assert not judged(test, lambda sampler: 2 * tried(sampler))[0]


def test_what_a_wrong_answer_prints_is_shown():
    def wrong(sigma):
        print("sigma is", sigma)
        return 7.0

    right, words = judged(ALL["kl-slope"], wrong)
    assert not right and words.startswith("not yet: for (0.25) you gave 7.\nYour answer printed: sigma is 0.25")


def test_an_answer_that_leaves_is_kept(capsys):
    right, words = judged(ALL["kl-slope"], lambda sigma: exit())
    assert not right and "SystemExit" in words


def test_a_cell_of_no_exercise_is_an_error_that_lists_the_names():
    cells = [{"id": "exercise-gone", "cell_type": "code", "source": ""}]
    with pytest.raises(ValueError, match="'exercise-gone' belongs to no exercise; there are squared-error, "):
        fill_exercises.fill(cells)


SICK = [exercise for exercise in exercises.CHAPTERS["13"] if not exercise.healthy]


def test_the_clinic_has_twelve_sick_and_two_healthy_patients_and_refuses_dozens_of_wrong_repairs():
    assert len(SICK) == 12 and len(exercises.CHAPTERS["13"]) == 14
    assert sum(len(exercise.mistakes) for exercise in SICK) >= 50


@pytest.mark.parametrize("exercise", SICK, ids=lambda exercise: exercise.name)
def test_a_sick_patient_is_not_called_healthy(exercise):
    right, words = judged(exercise, "Healthy")
    assert not right and words.startswith("it is not healthy: ") and len(words) > 40


def test_what_the_last_check_found_decides_whose_function_is_used(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(exercises, "_states", {})
    page, zero = (ALL[name] for name in ("grey-page", "below-zero"))
    sick, cured = page.made(page.blank), page.made(page.solution)
    assert exercises.state("grey-page") == "untouched"
    for answer, found in ((sick, "untouched"), (lambda x, x_hat: x, "wrong"), (cured, "right"), (sick, "untouched")):
        exercises.check("grey-page", answer)
        assert exercises.state("grey-page") == found
    exercises.check("below-zero", "healthy")
    assert exercises.state("below-zero") == "right" and "below-zero: right." in capsys.readouterr().out
    x = torch.rand(2, 3, 784)
    assert exercises.code_of("grey-page", cured) is cured
    assert torch.equal(exercises.code_of("below-zero", "healthy")(*x), zero.made(zero.blank)(*x))


def test_the_chain_takes_what_is_right_and_else_ours(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(exercises, "_states", {})
    chain = exercises.CHAPTERS["16"]
    mine = [exercise.made(exercise.blank) for exercise in chain]
    mine[2] = chain[2].made(chain[2].solution)
    exercises.check("chain-kl", mine[2])
    exercises.check("chain-recon", lambda x, logits: x)
    best = exercises.best("16", mine)
    assert list(best) == [exercise.variable for exercise in chain] and best["my_kl_term"] is mine[2]
    assert judged(chain[1], best["my_recon_term"])[0] and judged(chain[6], best["my_fitted_elbo"])[0]


@pytest.mark.parametrize(
    "name", ["grey-page", "below-the-floor", "one-for-all", "never-black", "chain-recon", "chain-kl"]
)
def test_a_right_value_without_its_gradient_is_refused(name):
    solved = ALL[name].made(ALL[name].solution)
    right, words = judged(ALL[name], torch.no_grad()(solved))
    assert not right and ("gradient" in words or name == "chain-recon")  # there a known mistake has the same values


@pytest.mark.parametrize("name", ["reparameterise", "two-widths", "no-variety", "chain-sampler"])
@pytest.mark.parametrize(
    ("noise", "words"),
    [
        ("torch.randn(len(mu), 1)", "all units"),
        ("torch.randn(mu.shape, generator=torch.Generator().manual_seed(0))", "every call"),
    ],
)
def test_noise_that_is_shared_or_repeated_is_refused(name, noise, words):
    exercise = ALL[name]
    source = f"def {exercise.variable}(mu, logvar):\n    return mu + (0.5 * logvar).exp() * {noise}"
    right, said = judged(exercise, exercise.made(source))
    assert not right and words in said


@pytest.mark.parametrize("cut", ["my_sampler(mu, logvar).detach()", "my_sampler(mu.detach(), logvar)"])
def test_a_bound_that_cannot_train_is_refused(cut):
    exercise = ALL["chain-elbo"]
    right, words = judged(exercise, exercise.made(exercise.solution.replace("my_sampler(mu, logvar)", cut)))
    assert not right and "slopes" in words


@pytest.mark.parametrize("answer", ["sick", "healthy?", 3, []])
def test_a_patient_wants_a_function_or_the_word(answer):
    for name in ("grey-page", "below-zero"):
        assert judged(ALL[name], answer) == (False, 'not yet: hand in the mended function, or the word "healthy".')


def test_an_answer_changes_no_setting():
    def meddles(sigma):
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float64)
        return sigma - 1 / sigma

    assert judged(ALL["kl-slope"], meddles)[0]
    assert torch.is_grad_enabled() and torch.get_default_dtype() == torch.float32


def test_what_the_chain_is_given_is_named_when_it_is_wrong():
    with pytest.raises(ValueError, match="answers must hold 7 functions, one per exercise, got 2"):
        exercises.best("16", [1, 2])
    with pytest.raises(ValueError, match=r"the chapter must be one of 01, .*, got 16"):
        exercises.best(16, [])
    for function in (lambda name: exercises.check(name, 1), exercises.state, exercises.hint):
        with pytest.raises(ValueError, match="there is no exercise"):
            function([])
