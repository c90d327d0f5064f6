"""Exercises of chapter 07: effects with their intervals, and verdicts that they allow."""

import torch

from vae_helpers.exercises.core import Exercise

WITH = torch.tensor([1.2, 0.9, 1.4, 1.1, 1.0, 1.3, 0.8, 1.2, 1.1, 1.0])
WITHOUT = torch.tensor([1.0, 0.8, 1.3, 0.9, 1.0, 1.0, 0.7, 1.1, 0.9, 0.9])


def with_scipy(a, b):
    from scipy import stats

    found = stats.ttest_rel(a.double().numpy(), b.double().numpy()).confidence_interval(0.95)
    return float(found.low + found.high) / 2, float(found.high - found.low) / 2


EXERCISES = [
    Exercise(
        name="paired-interval",
        minutes=8,
        task="""Write `my_interval(a, b)` for two arms trained with the same ten seeds: the mean of their \
difference, `a` minus `b`, and the half-width of its 95 % interval. (Student's t for nine degrees of freedom: \
2.262.)""",
        blank="def my_interval(a, b):\n    return ...",
        hints=(
            "The seeds are the same, so look at the ten differences.",
            "Half-width: t · standard deviation of the differences / √10.",
        ),
        solution="""def my_interval(a, b):
    change = a - b
    return change.mean(), 2.262 * change.std() / 10**0.5""",
        because="What a seed does to both arms cancels in the difference; that is why it is narrower.",
        truth=with_scipy,
        probes=((WITH, WITHOUT), (WITHOUT, WITH), (WITH, WITHOUT.flip(0))),
        within=2e-3,
        mistakes={
            """def my_interval(a, b):
    change = a - b
    return change.mean(), 2.262 * change.std()""": "Divide by √10: the mean of ten is less uncertain than one.",
            """def my_interval(a, b):
    spread = (a.var() + b.var()).sqrt()
    return a.mean() - b.mean(), 2.262 * spread / 10**0.5""": (
                "That treats the arms as unpaired; what the seed does to both does not cancel."
            ),
            """def my_interval(a, b):
    change = a - b
    return change.mean(), 1.96 * change.std() / 10**0.5""": "1.96 is for many seeds; with ten use 2.262.",
            """def my_interval(a, b):
    change = a - b
    return change.mean(), 2.262 * change.std(correction=0) / 10**0.5""": (
                "The standard deviation of a sample divides by n − 1 = 9."
            ),
            """def my_interval(a, b):
    change = b - a
    return change.mean(), 2.262 * change.std() / 10**0.5""": "The difference is a minus b.",
        },
    ),
    Exercise(
        name="interval-verdict",
        minutes=3,
        task="""A paper reports that its method raises a score by 0.08, and ten seeds give 0.08 ± 0.13. Which \
sentence may stand?

- **A**: The method does nothing.
- **B**: The method raises the score by 0.08.
- **C**: Ten seeds cannot tell whether it raises or lowers the score; an increase of 0.2 is possible, and so is \
none.
- **D**: With 95 % probability the method is better.""",
        blank="my_verdict = ...",
        hints=("What values does the interval hold?", "An interval with zero in it is no proof of zero."),
        solution='my_verdict = "C"',
        because="From −0.05 to 0.21 everything is compatible with what was seen.",
        truth="C",
        mistakes={
            'my_verdict = "A"': "Absence of evidence: an increase of 0.2 is inside the interval too.",
            'my_verdict = "B"': "That is the estimate without its interval; −0.05 is inside as well.",
            'my_verdict = "D"': "The 95 % belong to the interval as a procedure, not to the sign of the effect.",
            'my_verdict = "0.08"': "The answers are letters.",
        },
    ),
    Exercise(
        name="relative-smoothness",
        minutes=5,
        task="""Two decoders are compared by how much their picture changes for a step of 0.1 in the code. Model \
1 has codes with standard deviation 1 and changes by 2.0 (squared error), model 2 has standard deviation 20 and \
changes by 0.03. By what factor is model 2 the *rougher* one, for steps that are the same share of the spread of \
its codes? (For small steps the squared change grows with the square of the step.)""",
        blank="my_factor = ...",
        hints=(
            "A tenth of the spread of model 2 is a step of 2.0, twenty times the one that was taken.",
            "Twenty times the step is four hundred times the squared change.",
        ),
        solution="my_factor = 0.03 * 20**2 / 2.0",
        because="6 times rougher, where the raw numbers say that it is 67 times smoother.",
        truth=6.0,
        mistakes={
            "my_factor = 0.03 / 2.0": (
                "Those are steps of the same length in units of the code; the clouds differ twentyfold."
            ),
            "my_factor = 0.03 * 20 / 2.0": "The squared change grows with the *square* of the step: 20².",
            "my_factor = 2.0 / 0.03": "That is how much smoother it looks in raw steps.",
            "my_factor = 2.0 / (0.03 * 20**2)": "That is the inverse: how much rougher model 1 is.",
        },
    ),
]
