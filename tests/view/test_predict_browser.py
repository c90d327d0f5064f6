"""Predictions and the search box in JupyterLab, used by keyboard and mouse as a reader does."""

import re
from pathlib import Path

import pytest
from browser import notebook_page, output

QUESTIONS = Path(__file__).resolve().parents[2] / "notebooks" / "15_questions.ipynb"
CELLS = [
    """from vae_helpers.view import predict
predict.number("a", 4, unit="nats", said="So it was measured.")""",
    """predict.number("b", 7, said="Uncovered without a guess.")""",
    """predict.choice("c", ["rises", "falls"], "falls", said="By three nats.")""",
    """predict.choice("d", ["rises", "falls"], "rises", said="By two nats.")""",
    """predict.curve("e", [1, 2], [8, 4], low=0, high=10, said="It halves.", xlabel="β", ylabel="nats")""",
    """from vae_helpers.view.question_box import box
box(PATH)""".replace("PATH", repr(str(QUESTIONS))),
    """predict.tally()""",
    """print(6 * 7)""",
]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with notebook_page(tmp_path_factory.mktemp("lab"), CELLS, done="text=/^42/") as page:
        yield page


def entry(page, number):
    return output(page, number).locator("input[type=text]")


def test_nothing_is_uncovered_before_a_guess(page):
    for number, words in enumerate(("measured", "without a guess.", "nats", "nats")):
        assert words not in output(page, number).inner_text()
    assert not output(page, 4).locator("img:visible").count()


def test_a_number_is_committed_with_enter(page):
    entry(page, 0).click()
    page.keyboard.type("no idea")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=is not a number")
    entry(page, 0).fill("3.5")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=You said 3.5, it is 4 nats: within a quarter.")
    assert "So it was measured." in output(page, 0).inner_text()


def test_enter_alone_goes_on(page):
    entry(page, 1).click()
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Uncovered without a guess.")


def test_a_choice_by_key_and_by_button(page):
    entry(page, 2).click()
    page.keyboard.type("b")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=You chose “falls”; so it is.")
    output(page, 3).locator("button", has_text="b) falls").click()
    page.wait_for_selector("text=You chose “falls”; the result is “rises”.")


def test_a_curve_is_set_with_the_arrow_keys(page):
    handles = output(page, 4).locator(".noUi-handle")
    for i, steps in enumerate((8, 4)):
        handles.nth(i).focus()
        for _ in range(steps):
            page.keyboard.press("PageUp")
    page.wait_for_function("field => field.value == '4 2'", arg=entry(page, 4).element_handle())
    output(page, 4).locator("button", has_text="Uncover").click()
    page.wait_for_selector("text=/Your curve is off by/")
    output(page, 4).locator("img").wait_for(state="visible")


@pytest.mark.skipif(not QUESTIONS.exists(), reason="there is no chapter of questions")
def test_a_question_is_found_while_typing(page):
    entry(page, 5).click()
    page.keyboard.type("kld vanishing")
    best = output(page, 5).locator("li:nth-child(-n+3) b").filter(has_text=re.compile("KL|[Cc]ollapse"))
    best.first.wait_for()  # the first letters find others
    entry(page, 5).fill("<img src=zzz>")
    output(page, 5).get_by_text("No question has the words '<img src=zzz>'").wait_for()
    assert page.locator("img[src=zzz]").count() == 0


def test_the_tally_knows_them_all_and_the_page_raised_nothing(page):
    page.evaluate(
        """async () => { const notebook = window.jupyterapp.shell.currentWidget.content; notebook.activeCellIndex = 6;
        await window.jupyterapp.commands.execute("notebook:run-cell"); }"""
    )
    page.wait_for_selector("text=/predictions: 1 of 1 numbers within a quarter, 1 of 2 choices/")
    assert "1 uncovered without a guess" in output(page, 6).inner_text() and page.errors == []
