"""The questions of a notebook: reading them, and finding the ones that fit a few words. Pure; the box is in view."""

import json
import math
import re
from functools import lru_cache
from pathlib import Path

IN_HEADING, IN_ALSO, IN_TEXT, BY_SYNONYM = 6.0, 4.0, 1.0, 0.6  # what a word counts, by its place and its way
COMMON = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be by can do does for from how i if in is it its may me my of on or over should so than "
        "that the then this to use was what when where which while why will with you",
    )
)


def read(path):
    """[(heading, text)] of the questions in a notebook file: the Markdown cells that begin with "### ".

    text: the cell without its heading. Raises ValueError, in one sentence, for a file that is missing, is no notebook,
    or holds no question.
    """
    cells = [source.lstrip()[4:] for source in _markdown(path) if source.lstrip().startswith("### ")]
    if not cells:
        problem = "which has none: give the file of the chapter of questions"
        raise ValueError(f"path must name a notebook with headings '### …', got {str(path)!r}, {problem}.")
    return [(heading.strip(), text.strip()) for heading, _, text in (cell.partition("\n") for cell in cells)]


def read_synonyms(path):
    """[(phrases, phrases)] of the first table with two columns: in each row, words that stand for one another.

    A cell of the table holds phrases separated by commas. [] where there is no table; errors as in `read`.
    """
    for source in _markdown(path):
        rows = [re.split(r"(?<!\\)\|", line.strip())[1:-1] for line in source.splitlines() if line.strip()[:1] == "|"]
        if len(rows) > 2 and all(len(row) == 2 for row in rows):
            return [tuple([p.strip().replace("\\|", "|") for p in cell.split(",")] for cell in row) for row in rows[2:]]
    return []


def find(questions, words, synonyms=(), n=5):
    """The up to n questions that fit the words best, best first; none where no word is found.

    questions: from `read`; synonyms: from `read_synonyms`, applied in both directions. Case, a plural s and the two
    spellings of -ise do not matter. A word counts most in a heading, less under "Also asked as", least in the text, and
    the more, the fewer questions have it.
    """
    parts = [_parts(heading, text) for heading, text in questions]
    wanted = dict.fromkeys(_words(words), 1.0)
    for word in _other_words(words, synonyms):
        wanted.setdefault(word, BY_SYNONYM)
    scores = [0.0] * len(questions)
    for word, weight in wanted.items():
        places = [max(value * (word in part) for part, value in each) for each in parts]
        rare = math.log(1 + len(questions) / max(1, sum(place > 0 for place in places)))
        scores = [score + weight * rare * place for score, place in zip(scores, places, strict=True)]
    order = sorted(range(len(questions)), key=lambda i: -scores[i])
    return [questions[i] for i in order[:n] if scores[i] > 0]


def first_sentence(text, least=50):
    """The beginning of an answer in plain words: its first sentence, or as many as make up `least` characters."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text.split("\n\n")[0])
    sentences, said = re.split(r"(?<=[.?])\s+", re.sub(r"[*`]", "", plain).strip()), ""
    while sentences and len(said) < least:
        said = f"{said} {sentences.pop(0)}".strip()
    return said


def _parts(heading, text):
    also = re.search(r"\*Also asked as: ([^*]*)\*", text)
    return (_words(heading), IN_HEADING), (_words(also[1] if also else ""), IN_ALSO), (_words(text), IN_TEXT)


@lru_cache(maxsize=4096)
def _words(text):
    """The set of words of a text in one spelling, without the commonest."""
    found = re.findall(r"[^\W_]+", re.sub(r"\]\([^)]*\)", " ", text).lower())
    return frozenset(_stem(word) for word in found if word not in COMMON)


def _stem(word):
    word = re.sub(r"iz(?=[aei])", "is", word)  # -ize, -ization
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _other_words(words, synonyms):
    """Words of the other side of each row of which a phrase is contained in the words."""
    asked, found = _words(words), set()
    for left, right in synonyms:
        for these, those in ((left, right), (right, left)):
            if any(_words(phrase) and _words(phrase) <= asked for phrase in these):
                found |= set().union(*map(_words, those))
    return found


def _markdown(path):
    """The sources of the Markdown cells of a notebook file; ValueError if it cannot be read as one."""
    try:
        if not Path(path).is_file():  # a pipe would be waited for
            raise OSError(None, "no such file")
        cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
        return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    except OSError as error:
        problem = f"which cannot be read ({error.strerror or error}): give the path from the folder of this notebook"
    except (ValueError, KeyError, TypeError, RecursionError):
        problem = "which is no notebook: give a file in the format of Jupyter, such as '15_questions.ipynb'"
    raise ValueError(f"path must name a notebook file, got {str(path)!r}, {problem}.")
