"""Chapter 15: every link of every chapter leads somewhere, every number of an answer is found where it points."""

import json
import os
import re
from pathlib import Path

import pytest
from sections import cells_of, link_problem, links_of, numbers_in, section_of, without_code

from vae_helpers import questions
from vae_helpers.view import question_box

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))
CHAPTER = ROOT / "notebooks" / "15_questions.ipynb"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_link_leads_somewhere(path):
    sources = ["".join(cell["source"]) for cell in cells_of(path) if cell["cell_type"] == "markdown"]
    targets = {path.name * target.startswith("#") + target for source in sources for target in links_of(source)}
    assert [problem for target in sorted(targets) if (problem := link_problem(target, path.parent))] == []


@pytest.mark.parametrize(
    ("target", "word"),
    [
        ("00_start_here.ipynb", None),
        ("00_start_here.ipynb#The-chapters", None),
        ("../README.md#the-chapters", None),
        ("https://example.org/x#y", None),
        ("05_kl_term.ipynb#control?mu=0.00&sigma=1.00", None),
        ("05_kl_term.ipynb#control?mu=0.00&s=1.00", "no s"),
        ("05_kl_term.ipynb#draw?mu=0.00", "no stored control"),
        ("00_start.ipynb", "file"),
        ("00_start_here.ipynb#the-chapters", "heading"),
        ("../README.md#The-chapters", "heading"),
        ("08_turning_beta.ipynb#What-β-does-to-draws", "ASCII"),
    ],
)
def test_a_link_to_nowhere_is_found(target, word):
    problem = link_problem(target, ROOT / "notebooks")
    assert problem is None if word is None else word in problem


def answer_of(text):
    """The answer alone, without code: what stands above the line of links."""
    return without_code(re.split(r"\n\n(?=Shown in |Related: )", text)[0])


def missing_numbers(text, folder=ROOT / "notebooks"):
    """Numbers of an answer that stand in none of the sections it links to."""
    told = set()
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        name, _, fragment = target.partition("#")
        told |= numbers_in(section_of(folder / name, fragment, outputs_only=name == CHAPTER.name))
    return sorted(numbers_in(answer_of(text)) - told)


def sentences_in(text):
    plain = re.sub(r"\$[^$\n]*\$|`[^`\n]*`", "X", text)
    return len(re.split(r"(?<=[.?])[\"”)*]*\s+(?=[A-Z*\"“(κβμσ])", plain.strip()))


def form_problems(heading, text):
    """Where one question departs from the form: sentences, links, words people search for."""
    found, n = [], sentences_in(re.split(r"\n\n(?=Shown in |Related: )", text)[0])
    found += [f"{n} sentences, two to five are allowed"] * (not 2 <= n <= 5)
    links = re.search(r"\n\n(?:Shown in|Related:) (\[.+\]\(.+\))\.\n", text)
    n = links[1].count("](") if links else 0
    found += [f"{n} links, one to three are allowed"] * (not 1 <= n <= 3)
    also = re.search(r"\n\*Also asked as: ([^*]+)\.\*(?: Asked in \S+\.)?$", text)
    n = len(also[1].split(",")) if also else 0
    found += [f"{n} other words, two to five are allowed"] * (not 2 <= n <= 5)
    return [f"{heading}: {problem}" for problem in found]


def test_there_are_eighty_questions_and_nine_of_ten_are_shown():
    asked = questions.read(CHAPTER)
    headings = [heading for heading, _ in asked]
    assert len(asked) >= 80 and len(set(headings)) == len(headings)
    assert sum("\n\nShown in [" in text for _, text in asked) >= 0.9 * len(asked)
    ids = [cell["id"] for cell in cells_of(CHAPTER) if "".join(cell["source"]).startswith("### ")]
    assert all(re.fullmatch(r"q(-[a-z0-9]+)+", i) for i in ids)


def test_every_question_has_its_form():
    assert [problem for question in questions.read(CHAPTER) for problem in form_problems(*question)] == []


def test_every_number_of_an_answer_stands_where_it_points():
    lost = {heading: missing for heading, text in questions.read(CHAPTER) if (missing := missing_numbers(text))}
    assert lost == {}


FOOT = "\n\nShown in [the size](05_kl_term.ipynb#A-price).\n*Also asked as: nats, bits.* Asked in a/b#1."


def test_the_form_of_a_question_is_checked():
    good = "A nat is 1.44 bits. Nothing else is said."
    assert form_problems("x", good + FOOT) == []
    assert "sentences" in form_problems("x", "One only." + FOOT)[0]
    assert "sentences" in form_problems("x", 6 * "One more. " + FOOT)[0]
    assert "links" in form_problems("x", good + FOOT.replace("](", "] ("))[0]
    assert "other words" in form_problems("x", good + FOOT.replace("nats, bits", "nats"))[0]
    assert "other words" in form_problems("x", good + FOOT.replace("Also", "So"))[0]


def test_a_number_from_nowhere_is_found():
    assert missing_numbers("Halving costs 0.693 nats, $\\mu$ is 0.818147." + FOOT) == []
    assert missing_numbers("Halving costs 0.694 nats. `x = 0.1`" + FOOT) == ["0.694"]
    assert missing_numbers("It is 83% of it, 1.2%, and 5 %." + FOOT) == ["1.2%", "5%", "83%"]
    assert "0.911" in section_of(ROOT / "notebooks" / "05_kl_term.ipynb", "The-number-as-an-area")
    assert "0.911" not in section_of(ROOT / "notebooks" / "05_kl_term.ipynb", "A-price")


PHRASES = {
    "KLD negative": "My KL is negative",
    "sampling layer not using epsilon": "My sampling layer",
    "posterior collapse": "Why does my VAE give the same picture",
    "same output for every input": "Why does my VAE give the same picture",
    "blurry images": "Why are the pictures of a VAE blurred",
    "autoencoder accuracy": "My loss is tiny but the accuracy",
    "pca vs autoencoder": "PCA or an autoencoder",
    "log_sigma": "logvar or log_sigma",
    "kl annealing loss increases": "My loss falls and then rises",
    "free bits": "What are free bits",
    "batch norm validation loss": "Training looks fine, validation is enormous",
    "sum or mean over latent dimensions": "May I average the KL over the units",
    "divide by batch size": "Should the loss be divided by the batch size",
    "how many latent dimensions": "How many latents do I need",
    "vq-vae perplexity": "What is the perplexity of a codebook",
    "checkerboard artifacts": "Upsampling or transposed convolution",
    "cuda not available gpu": "Do I need a GPU",
    "anomaly threshold": "Which threshold separates",
    "conditional vae label encoder": "Why does the label go into the encoder",
    "slerp interpolation": "Interpolate on a straight line",
    "bits per dim": "How do I turn nats into bits",
    "tied weights": "Should the decoder use the transposed weights",
    "gumbel softmax temperature": "Which temperature for Gumbel-softmax",
    "holes in latent space": "What does the aggregate posterior look like",
    "KL increases during training": "Is the KL supposed to rise",
    "best beta": "Which β should I take",
    "different seeds different latent space": "Five seeds, equal losses",
    "colab disconnected": "My cloud notebook was closed",
    "widget not showing slider": "A line of text appears instead of a slider",
    "missing pixels imputation": "How do I fill in missing pixels",
    "discriminator 50%": "My discriminator stays at 50%",
    "EM algorithm": "Is a VAE trained by something like the EM",
    "variational lower bound positive": "Why is my log-likelihood or ELBO above zero",
    "skip connections unet": "Can skip connections make the KL drop",
    "stable diffusion kl weight 1e-6": "Why is the KL weight a millionth",
    "reparametrization trick": "Why reparameterise",
    "MSE or BCE": "May I compare a BCE with a squared error",
    "dead units": "How do I see dead units",
}


@pytest.mark.parametrize("words", PHRASES)
def test_the_words_of_a_learner_find_the_question(words):
    found = questions.find(questions.read(CHAPTER), words, questions.read_synonyms(CHAPTER), n=3)
    assert any(heading.startswith(PHRASES[words]) for heading, _ in found), [heading for heading, _ in found]


def test_the_table_of_words_is_read():
    table = questions.read_synonyms(CHAPTER)
    assert len(table) >= 25 and all(phrase for row in table for side in row for phrase in side)
    assert "KLD" in table[0][0] and "KL term" in table[0][1]


SMALL = [
    (
        "Why are pictures blurred?",
        "Because of averages, not of nats.\n\nShown in [x](y.ipynb#z).\n*Also asked as: fuzzy, soft.*",
    ),
    (
        "What is a nat?",
        "A unit. Pictures have many.\n\nShown in [x](y.ipynb#blurred).\n*Also asked as: bit, size.*",
    ),
    ("How are codes regularised?", "By a price.\n\nShown in [x](y.ipynb).\n*Also asked as: KL term, averages.*"),
]


def headings(words, synonyms=()):
    return [heading.split()[-1] for heading, _ in questions.find(SMALL, words, synonyms)]


def test_find_ranks_headings_over_other_words_over_text():
    assert headings("picture") == ["blurred?", "nat?"] and headings("PICTURES") == ["blurred?", "nat?"]
    assert headings("nats") == ["nat?", "blurred?"] and headings("averages") == ["regularised?", "blurred?"]
    assert headings("soft size blurred")[0] == "blurred?"
    assert headings("z blurred") == ["blurred?"], "the target of a link is no text"
    assert headings("") == headings("of the") == headings("zebra") == []
    assert headings("regularized") == ["regularised?"]
    assert [heading for heading, _ in questions.find(SMALL, "picture", n=1)] == [SMALL[0][0]]


def test_synonyms_work_in_both_directions():
    table = [(["latent loss", "KLD"], ["KL term"]), (["unit"], ["blob"])]
    assert headings("kld", table) == ["regularised?"] and headings("latent loss", table) == ["regularised?"]
    assert headings("latent", table) == [] and headings("blob", table) == ["nat?"] and headings("kld") == []


def test_first_sentence_is_plain_and_not_too_short():
    assert questions.first_sentence("Yes. It *is* a [price](a.ipynb#b), in `nats` per image, for the codes. More.") == (
        "Yes. It is a price, in nats per image, for the codes."
    )


def notebook(path, *sources):
    cells = [{"cell_type": "markdown", "source": [source]} for source in sources]
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    return path


TABLE = "| you say | we say |\n|---|---|\n| KLD, q(z\\|x) | KL term |"


def test_questions_and_words_are_read_from_a_notebook(tmp_path):
    path = notebook(tmp_path / "a.ipynb", "# Title\n### no question", TABLE, "### Why?\n\nSo.", "### How?\nThus.")
    assert questions.read(path) == [("Why?", "So."), ("How?", "Thus.")]
    assert questions.read_synonyms(path) == [(["KLD", "q(z|x)"], ["KL term"])]
    assert questions.read_synonyms(notebook(tmp_path / "b.ipynb", "### Why?\nSo.")) == []


def bad_files(folder):
    (folder / "text.ipynb").write_text("no notebook", encoding="utf-8")
    (folder / "deep.ipynb").write_text("[" * 100_000, encoding="utf-8")
    (folder / "list.ipynb").write_text("[1, 2]", encoding="utf-8")
    (folder / "bytes.ipynb").write_bytes(b"\xff\xfe\x00")
    (folder / "cells.ipynb").write_text('{"cells": [{"cell_type": "markdown"}]}', encoding="utf-8")
    empty = notebook(folder / "empty.ipynb", "# A chapter without questions")
    return [
        folder / "missing.ipynb",
        folder,
        empty,
        *(folder / f"{n}.ipynb" for n in ("text", "deep", "list", "bytes", "cells")),
    ]


def test_a_bad_file_gives_one_sentence(tmp_path):
    for path in bad_files(tmp_path):
        with pytest.raises(ValueError, match=r"^path must name a notebook") as error:
            questions.read(path)
        assert path.name in str(error.value) and "\n" not in str(error.value)
        box = question_box.box(path)
        assert box.sentence == str(error.value) and box.field.disabled and box.ask("kl") == []
        assert path.name in box.answers.value


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.ipynb")
    with pytest.raises(ValueError, match=r"^path must name a notebook"):
        questions.read(tmp_path / "pipe.ipynb")


def test_the_box_answers_while_one_types_and_escapes_everything(tmp_path):
    path = notebook(tmp_path / "a.ipynb", "### Is <b> bold?\n\nYes & no, <i>as</i> one has it in a page of a browser.")
    box = question_box.box(path)
    assert not box.field.disabled and box.field.description == "Your words"
    assert box.ask("bold") == ["Is <b> bold?"]
    assert "Is &lt;b&gt; bold?" in box.answers.value and "Yes &amp; no, &lt;i&gt;as&lt;/i&gt;" in box.answers.value
    assert box.ask("<script>zebra") == [] and "<script>" not in box.answers.value
    assert "zebra" in box.answers.value and box.ask("") == [] and "1 questions" in box.answers.value


def test_the_box_shows_five_at_most(tmp_path):
    path = notebook(tmp_path / "a.ipynb", *(f"### Question {n} on codes\n\nAn answer." for n in range(9)))
    assert len(question_box.box(path).ask("codes")) == 5


def test_a_reader_without_a_kernel_gets_one_sentence(tmp_path, monkeypatch):
    shown = {}
    monkeypatch.setattr(question_box, "display", lambda bundle, **kwargs: shown.update(bundle))
    box = question_box.box(notebook(tmp_path / "a.ipynb", "### Why?\nSo."))
    box._ipython_display_()
    assert set(shown) == {"application/vnd.jupyter.widget-view+json", "text/plain"}
    assert shown["text/plain"] == box.sentence and "1 questions" in box.sentence
