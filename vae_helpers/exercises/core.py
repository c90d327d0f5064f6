"""What an exercise is, and how an answer is judged: by what it does, for inputs that were chosen to show mistakes."""

import _thread
import contextlib
import io
import math
import re
import signal
import threading
from dataclasses import dataclass
from numbers import Real

import numpy as np
import torch
from torch.nn import functional as F

from vae_helpers.models import seeded

SECONDS, CHARACTERS = 10.0, 2000  # what one answer may take, and print
AS_IT_CAME = ': this does what the code did as it came in (if you think that this is right, hand in "healthy")'


@dataclass(frozen=True)
class Exercise:
    """A task with all that belongs to it. An answer is a value, or a function that is called on each of the probes.

    task: what is asked, in Markdown. blank: the cell to be filled, which sets a variable called `variable`. hints: one
    after the other. solution: the cell filled; because: what the solution shows, in Markdown. truth: the right value,
    or a function of a probe that does not share its way with the solution, or None where `must` says all. mistakes:
    {cell filled as people do: what to say then}. must: (what to say, property(answer) that has to hold), beyond the
    probes. within: relative tolerance. A blank without dots is code to be mended; where healthy is True nothing is
    wrong with it, and the answer is the word "healthy". given: code that an answer may build on.
    """

    name: str
    minutes: int
    task: str
    blank: str
    hints: tuple
    solution: str
    truth: object
    mistakes: dict
    because: str = ""
    probes: tuple = ()
    must: tuple = ()
    within: float = 1e-3
    healthy: bool = False
    given: str = ""

    @property
    def patient(self):
        """Whether the blank is code to be mended."""
        return "..." not in self.blank

    @property
    def variable(self):
        """The name that the blank sets."""
        return re.match(r"(?:@.*\n)*(?:def )?(\w+)", self.blank)[1]

    @property
    def cell(self):
        """The code cell of the notebook: the blank, and the line that has it checked."""
        gap = "\n\n\n" if "def " in self.blank else "\n"
        return f'{self.blank}{gap}exercises.check("{self.name}", {self.variable})'

    @property
    def text(self):
        """The Markdown cell of the notebook: task, hints and solution, the last two folded."""
        hints = "\n\n".join(self.hints)
        return (
            f"**Exercise** ({self.minutes} minutes). {self.task}\n\n"
            f"<details><summary>Hints</summary>\n\n{hints}\n\n</details>\n\n"
            f"<details><summary>Solution</summary>\n\n```python\n{self.solution}\n```\n\n{self.because}\n\n</details>"
        )

    def made(self, source):
        """What a filled cell sets; the names torch, F, np and math are there."""
        space = {"torch": torch, "F": F, "np": np, "math": math}
        for code in (self.given, source):
            exec(compile(code, f"<{self.name}>", "exec"), space)
        return space[self.variable]


class Stopped(Exception):
    """The answer took too long or printed too much; says so."""


def judged(exercise, answer):
    """(right, what to say) of an answer. Nothing that the answer does is let through, and nothing it prints."""
    try:
        with guarded() as pad:
            if unfilled(exercise, answer):
                return False, f"not answered yet{AS_IT_CAME * (exercise.patient and callable(answer))}."
            fault = fault_of(exercise, answer)
            if fault is None:
                return True, "right."
            printed = pad.getvalue()
            same = (
                words for source, words in exercise.mistakes.items() if alike(exercise, answer, exercise.made(source))
            )
            words = next(same, fault)
            return False, f"{words}\nYour answer printed: {printed.strip()}" if printed.strip() else words
    except Stopped as stop:
        return False, str(stop)
    except (Exception, SystemExit) as error:  # whatever an answer raises is its own affair
        return False, f"your answer stops with {type(error).__name__}: {message_of(error)}"


def message_of(error):
    """The message of an exception; an exception's own code may fail."""
    try:
        return shortened(str(error), 200)
    except Exception:
        return "(no message)"


def unfilled(exercise, answer):
    """Whether the blank still stands there."""
    if exercise.patient and callable(answer):
        return alike(exercise, answer, exercise.made(exercise.blank))
    if exercise.probes and callable(answer):
        answer = called(answer, exercise.probes[0])
    return answer is None or answer is ...


def fault_of(exercise, answer):
    """None for a right answer, or a sentence: the first probe or property that fails."""
    if exercise.patient and not callable(answer):
        if not isinstance(answer, str) or answer.strip(" .").lower() != "healthy":
            return 'not yet: hand in the mended function, or the word "healthy".'
        if exercise.healthy:
            return None
        fault = fault_of(exercise, exercise.made(exercise.blank))
        return f"it is not healthy: {fault.removeprefix('not yet: ')}"
    if exercise.healthy:
        called(answer, exercise.probes[0])  # what it raises is said
        return "not yet: this is another function than the one that came in. What was wrong with that one?"
    if not exercise.probes:
        words = mismatch(answer, exercise.truth, exercise.within)
        return None if words is None else f"not yet: {words}."
    if not callable(answer):
        return f"{exercise.variable} must be a function, got {type(answer).__name__}."
    for probe in exercise.probes if exercise.truth else ():
        words = mismatch(called(answer, probe), exercise.truth(*copied(probe)), exercise.within)
        if words is not None:
            return f"not yet: for ({shown(probe)}) {words}."
    for sentence, holds in exercise.must:
        if not holds(answer):
            return sentence
    return None


def alike(exercise, answer, other):
    """Whether two answers do the same; for functions, on every probe."""
    if not exercise.probes:
        return mismatch(answer, other, exercise.within) is None
    pairs = ((result_of(answer, probe), result_of(other, probe)) for probe in exercise.probes)
    return all(
        type(b) is type(a) if isinstance(b, Exception) else mismatch(a, b, exercise.within) is None for a, b in pairs
    )


def result_of(function, probe):
    """What the call returns, with its slopes in those inputs that ask for them, or the exception that it raises."""
    inputs = copied(probe)
    asking = [x for x in inputs if isinstance(x, torch.Tensor) and x.requires_grad]
    try:
        with contained():
            found = function(*inputs)
        if not asking:
            return found
        slopes = [torch.zeros_like(x) for x in asking]
        if found.requires_grad:
            slopes = torch.autograd.grad(found.sum(), asking, materialize_grads=True)
        return found.detach(), *slopes, torch.tensor(float(found.requires_grad))
    except Stopped:
        raise
    except Exception as error:
        return error


def called(function, probe):
    """The function on copies of the probe's inputs, its random numbers from a fixed start."""
    with contained():
        return function(*copied(probe))


@contextlib.contextmanager
def contained():
    """What runs inside has random numbers from a fixed start, and leaves torch's settings as they were."""
    kind, gradients = torch.get_default_dtype(), torch.is_grad_enabled()
    try:
        with seeded(9173):  # no seed that an answer would choose
            yield
    finally:
        torch.set_default_dtype(kind)
        torch.set_grad_enabled(gradients)


def copied(probe):
    return [x.detach().clone().requires_grad_(x.requires_grad) if isinstance(x, torch.Tensor) else x for x in probe]


def mismatch(found, wanted, within):
    """None where two values agree, or the words that say how they do not."""
    if isinstance(wanted, tuple):
        if not isinstance(found, tuple) or len(found) != len(wanted):
            return f"{len(wanted)} values are wanted, separated by commas, got {short(found)}"
        every = (mismatch(a, b, within) for a, b in zip(found, wanted, strict=True))
        return next((words for words in every if words is not None), None)
    if isinstance(found, np.ndarray | np.generic):
        found = torch.as_tensor(found)
    if isinstance(wanted, bool):
        told = found.item() if isinstance(found, torch.Tensor) and found.numel() == 1 else found
        fits = isinstance(told, bool) or (isinstance(told, int) and told in (0, 1))
        return None if fits and told == wanted else f"the answer should be {wanted}, got {short(found)}"
    if isinstance(wanted, str):
        same = str(found).strip().lower() == str(wanted).lower()
        return None if same else f"the answer is not {short(found)}"
    if isinstance(wanted, torch.Tensor) and wanted.ndim:
        if not isinstance(found, torch.Tensor) or found.shape != wanted.shape:
            shape = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
            return f"the result should have shape {tuple(wanted.shape)}, got {shape}"
        close = torch.isclose(found.double(), wanted.double(), rtol=within, atol=within * 1e-2, equal_nan=True)
        if close.all():
            return None
        at = (~close).nonzero()[0].tolist()
        return f"the result is off, first at {at}: {found[tuple(at)].item():.4g}"
    try:
        number = found.item() if isinstance(found, torch.Tensor) else found  # also of shape (1,)
    except RuntimeError:
        return f"one number is wanted, got a tensor of shape {tuple(found.shape)}"
    if isinstance(number, bool) or not isinstance(number, Real):
        return f"one number is wanted, got {short(found)}"
    wanted = float(wanted.detach() if isinstance(wanted, torch.Tensor) else wanted)
    near = abs(number - wanted) <= within * max(abs(wanted), 1e-2) or (number != number and wanted != wanted)
    return None if near else f"you gave {number:.4g}"


def shown(probe):
    """The inputs of a probe, in few words."""
    return ", ".join(short(rounded(x.tolist()) if isinstance(x, torch.Tensor) and x.numel() <= 6 else x) for x in probe)


def rounded(value):
    """Numbers to two decimals, lists of any depth with them."""
    return [rounded(v) for v in value] if isinstance(value, list) else round(value, 2)


def short(value):
    """A value in at most sixty characters."""
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, list):
        return shortened(str(value))
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    text = f"{value:.4g}" if isinstance(value, float) else repr(value)
    return shortened(text)


def shortened(text, most=60):
    return text if len(text) < most else text[: most - 3] + "…"


class Pad(io.StringIO):
    """Takes what an answer prints, up to a limit."""

    def write(self, text):
        if self.tell() + len(text) > CHARACTERS:
            raise Stopped(f"your answer printed more than {CHARACTERS} characters and was stopped.")
        return super().write(text)


@contextlib.contextmanager
def guarded():
    """What runs inside is stopped after some seconds or many lines; its random numbers stay inside.

    The clock interrupts the main thread, so in another one only the lines are counted.
    """
    lock, state = threading.Lock(), {"running": True, "late": False}

    def stop():
        with lock:
            if state["running"]:
                state["late"] = True
                if hasattr(signal, "pthread_kill"):  # which wakes what sleeps or waits
                    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
                else:
                    _thread.interrupt_main()

    timer = threading.Timer(SECONDS, stop)
    timer.daemon = True
    pad = Pad()
    if clocked := threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # the background ignores it
        timer.start()
    try:
        with contextlib.redirect_stdout(pad), contextlib.redirect_stderr(pad), seeded(0):
            yield pad
        with lock:
            state["running"] = False
    except KeyboardInterrupt:
        if not state["late"]:
            raise
        raise Stopped(f"your answer took longer than {SECONDS:.0f} seconds and was stopped.") from None
    finally:
        with lock:
            state["running"] = False
        timer.cancel()
        if clocked:
            signal.signal(signal.SIGINT, before or signal.SIG_DFL)
