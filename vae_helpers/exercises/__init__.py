"""Exercises that answer: check(name, answer), hint(name), solution(name), and progress() over all of them.

A teacher finds task, solution, known mistakes and what is tested of an exercise in one place, in the file of its
chapter. Nothing leaves the machine; what was solved is kept in one small file beside the notebooks (progress.py).
"""

from vae_helpers import progress as kept
from vae_helpers.exercises import c01, c02, c03, c04, c05, c05a, c06, c07, c08, c09, c10, c11, c12, c13, c16
from vae_helpers.exercises.core import judged

_FILES = c01, c02, c03, c04, c05, c05a, c06, c07, c08, c09, c10, c11, c12, c13, c16
CHAPTERS = {file.__name__.rpartition(".c")[2]: file.EXERCISES for file in _FILES}
ALL = {exercise.name: exercise for exercises in CHAPTERS.values() for exercise in exercises}
_asked, _states = {}, {}  # by name: hints given, what the last check found


def check(name, answer):
    """Say whether an answer is right, and if not, what fails and for which input. Never raises for an answer."""
    exercise = _named(name)
    right, words = judged(exercise, answer)
    found = "right" if right else "untouched" if words.startswith("not answered") else "wrong"
    _states[name] = found, answer
    if right:
        if name not in kept.read("exercises"):
            kept.remember("exercises", name, True)
        words = f"right. {exercise.because}"
    elif words.startswith("not answered"):
        words += f' exercises.hint("{name}") helps.'
    print(f"{name}: {words}")


def hint(name):
    """The next hint; after the last one the first again."""
    hints = _named(name).hints
    _asked[name] = _asked.get(name, 0) + 1
    turn = (_asked[name] - 1) % len(hints) + 1
    last = " (That is the last one; the solution is folded under the task.)" * (turn == len(hints))
    print(f"{turn} of {len(hints)}: {hints[turn - 1]}{last}")


def solution(name):
    """The solution, once all hints have been seen; before that, the next hint."""
    exercise = _named(name)
    if _asked.get(name, 0) < len(exercise.hints):
        hint(name)
        return
    print(f"{exercise.solution}\n\n{exercise.because}")


def code_of(name, answer):
    """The learner's function, or the patient's own code where another answer, such as "healthy", was given."""
    exercise = _named(name)
    return answer if callable(answer) and not isinstance(answer, type) else exercise.made(exercise.blank)


def best(chapter, answers):
    """{name: function} of a chapter's exercises, in order: the learner's where its check said right, else ours."""
    if len(answers) != len(_of(chapter)):
        raise ValueError(f"answers must hold {len(_of(chapter))} functions, one per exercise, got {len(answers)}.")
    best = {e.variable: e.made(e.solution) for e in _of(chapter)}
    theirs = [(e, a) for e, a in zip(_of(chapter), answers, strict=True) if state(e.name) == "right"]
    return best | {e.variable: a for e, a in theirs if _states[e.name][1] is a}


def state(name):
    """What the last check in this session found: "right", "wrong", or "untouched"."""
    return _states.get(_named(name).name, ("untouched", None))[0]


def progress(only=None):
    """What has been solved, chapter by chapter, or in one chapter, "05"."""
    done = kept.read("exercises")
    for chapter in CHAPTERS if only is None else [only]:
        names = [exercise.name for exercise in _of(chapter)]
        marks = ", ".join(f"{'✓' if name in done else '·'} {name}" for name in names)
        print(f"{chapter}: {sum(name in done for name in names)} of {len(names)}: {marks}")


def _of(chapter):
    if not isinstance(chapter, str) or chapter not in CHAPTERS:
        raise ValueError(f"the chapter must be one of {', '.join(CHAPTERS)}, got {chapter!r}.")
    return CHAPTERS[chapter]


def _named(name):
    if not isinstance(name, str) or name not in ALL:
        raise ValueError(f"there is no exercise {name!r}; there are {', '.join(ALL)}.")
    return ALL[name]
