"""Predictions: the first guess counts, nonsense is asked again, and a reader without a kernel can unfold the result."""

import pytest

from vae_helpers import progress
from vae_helpers.view import predict


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def bundle(monkeypatch):
    def stored(view):
        shown = []
        monkeypatch.setattr(predict, "display", lambda data, **how: shown.append(data))
        view._ipython_display_()
        return shown[0]

    return stored


def asked_number(name="nats"):
    return predict.number(name, 4.0, unit="nats", said="Measured on 10 seeds < 11.")


@pytest.mark.parametrize(
    ("text", "words", "hit"),
    [
        ("3", "You said 3, it is 4 nats: within a quarter.", True),
        (" 5.0 nats", "within a quarter", True),
        ("4,4", "You said 4.4,", True),
        ("1e1", "too large by a factor of 2.5", False),
        ("2", "too small by a factor of 2.", False),
        ("-4", "You said -4, it is 4 nats.", False),
        ("−4", "You said -4,", False),
        ("0", "You said 0,", False),
    ],
)
def test_a_number_is_compared_with_the_truth(text, words, hit, capsys):
    view = asked_number()
    assert view.result.value == ""
    view.commit(text)
    assert words in view.result.value and "10 seeds &lt; 11" in view.result.value
    assert progress.read("predictions") == {"nats": ["number", hit]}
    predict.tally()
    assert capsys.readouterr().out == f"predictions: {int(hit)} of 1 numbers within a quarter.\n"


@pytest.mark.parametrize("text", ["abc", "nan", "inf", "4 5", "<b>", "1" * 400, "1e308", "-1e200"])
def test_what_is_no_number_is_asked_again_and_uncovers_nothing(text):
    view = asked_number()
    view.commit(text)
    assert "is not a number" in view.result.value and "Measured" not in view.result.value
    assert "<b>" not in view.result.value and progress.read("predictions") == {}


def test_only_the_first_guess_counts():
    view = asked_number()
    view.commit("9")
    view.commit("4")
    asked_number().commit("4")
    assert progress.read("predictions") == {"nats": ["number", False]}


def test_enter_alone_goes_on_without_a_guess(capsys):
    view = asked_number()
    view._hear(view.entry, {"event": "submit"}, [])
    assert "Result: 4 nats." in view.result.value and "You said" not in view.result.value
    assert progress.read("predictions") == {"nats": ["number", None]}
    predict.tally()
    assert capsys.readouterr().out == "predictions: 1 uncovered without a guess.\n"


def asked_choice(**more):
    return predict.choice("way", ["rises", "falls", "stays"], "falls", said="By 3 nats.", **more)


@pytest.mark.parametrize(("text", "hit"), [("b", True), ("(B).", True), ("falls", True), ("a", False), ("c)", False)])
def test_a_choice_by_letter_or_by_word(text, hit):
    view = asked_choice()
    view.commit(text)
    assert ("so it is" in view.result.value) == hit and "By 3 nats." in view.result.value
    assert progress.read("predictions") == {"way": ["choice", hit]}


def test_a_choice_by_button_and_a_letter_that_is_none():
    view = asked_choice()
    view.commit("d")
    assert "“d” is not one of the letters a, b, c" in view.result.value
    buttons = [w for row in view.children for w in getattr(row, "children", ()) if hasattr(w, "on_click")]
    assert [b.description for b in buttons] == ["a) rises", "b) falls", "c) stays", "Uncover"]
    buttons[0].click()
    assert "You chose “rises”; the result is “falls”." in view.result.value


def test_a_right_option_that_is_not_offered_is_refused():
    with pytest.raises(ValueError, match="right must be one of 'a', 'b', got 'c'"):
        predict.choice("way", ["a", "b"], "c", said="")


def asked_curve():
    return predict.curve("fall", [1, 2, 4], [8, 4, 0], low=0, high=10, said="It halves.", xlabel="β", ylabel="nats")


def test_a_curve_is_drawn_with_the_sliders_and_measured(capsys):
    view = asked_curve()
    for slider, value in zip(view.sliders, (8, 5, 0.5), strict=True):
        slider.value = value
    assert view.entry.value == "8 5 0.5"
    without = view.picture.png()
    view.commit(view.entry.value)
    assert "off by 0.5 on average, over a range of 8" in view.result.value
    assert view.image.value != without and view.image.layout.display is None
    assert progress.read("predictions") == {"fall": ["curve", True]}
    predict.tally()
    assert capsys.readouterr().out == "predictions: 1 of 1 curves near.\n"


def test_a_curve_of_other_length_is_asked_again_and_a_bad_one_is_no_hit():
    view = asked_curve()
    view.commit("8 4")
    assert "3 numbers are wanted, separated by spaces, got 2" in view.result.value
    view.commit("0 4 8")
    assert progress.read("predictions") == {"fall": ["curve", False]}


def test_a_page_without_a_kernel_unfolds_the_result(bundle):
    data = bundle(asked_number())
    assert data["text/html"].startswith("<details><summary>Show the result</summary>")
    assert "Result: 4 nats." in data["text/html"] and "&lt; 11" in data["text/html"]
    assert data["text/plain"] == "Result: 4 nats.\nMeasured on 10 seeds < 11."
    assert '<img alt="It halves." src="data:image/png;base64,' in bundle(asked_curve())["text/html"]


def test_a_cell_that_runs_again_replaces_its_prediction():
    first = asked_number()
    parts = [first, first.entry, first.entry.layout, first.result, first.image]
    second = asked_number()
    assert [part.comm is None for part in parts] == [True] * 5 and second.entry.comm is not None


def test_what_somebody_else_kept_is_not_counted(capsys, monkeypatch):
    odd = {"a": ["number", "yes"], "b": [["number"], True], "c": 3, "d": ["choice", True], "e": ["number", {}]}
    monkeypatch.setattr(predict.progress, "read", lambda kind: odd)
    predict.tally()
    assert capsys.readouterr().out == "predictions: 1 of 1 choices.\n"


def test_nothing_committed(capsys):
    predict.tally()
    assert capsys.readouterr().out == "predictions: none committed yet.\n"
