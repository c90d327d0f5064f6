"""The file that keeps what a learner has done: whole, or absent; never in the way."""

import json

import pytest

from vae_helpers import progress


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_is_kept_is_read_again_and_the_kinds_do_not_mix(here):
    assert progress.read("exercises") == {} and not list(here.iterdir())
    progress.remember("exercises", "kl-slope", True)
    progress.remember("predictions", "kl-slope", ["number", None])
    progress.remember("exercises", "lost-half", True)
    assert progress.read("exercises") == {"kl-slope": True, "lost-half": True}
    assert progress.read("predictions") == {"kl-slope": ["number", None]}
    assert [path.name for path in here.iterdir()] == ["my-progress.json"]


@pytest.mark.parametrize("kept", ["", "{", "[1, 2]", '{"exercises": [1]}', '{"exercises": null, "a": 1}', "\xff"])
def test_a_damaged_file_loses_nothing_else(here, kept):
    (here / progress.FILE).write_text(kept, encoding="latin-1")
    assert progress.read("exercises") == {}
    progress.remember("exercises", "kl-slope", True)
    assert progress.read("exercises") == {"kl-slope": True}
    assert kept.count("a") == json.loads((here / progress.FILE).read_text()).get("a", 0)


def test_where_nothing_can_be_written_one_line_says_so(here, capsys):
    (here / progress.FILE).mkdir()
    progress.remember("exercises", "kl-slope", True)
    assert "cannot be kept here" in capsys.readouterr().out
