"""The file that keeps what a learner has done: whole, or absent; never in the way."""

import json
import os

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


FOREIGN = ["my own notes", "<<<<<<< mine\n{}", '{"a": 1}', "[" * 100_000, '\ufeff{"exercises": 1} and notes']


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("text", FOREIGN, ids=lambda text: text[:9])
def test_what_is_not_ours_is_put_aside_and_said(here, capsys, text, linked):
    place = here / "elsewhere.txt" if linked else here / progress.FILE
    place.write_text(text, encoding="utf-8")
    if linked:
        (here / progress.FILE).symlink_to(place)
    progress.remember("exercises", "kl-slope", True)
    assert progress.read("exercises") == {"kl-slope": True}
    (aside,) = here.glob("*.kept")
    assert aside.name in capsys.readouterr().out
    assert aside.read_text(encoding="utf-8") == text and (not linked or place.read_text(encoding="utf-8") == text)


def test_a_byte_order_mark_is_no_damage_and_half_a_letter_is_kept(here):
    (here / progress.FILE).write_text('\ufeff{"exercises": {"a": true}}', encoding="utf-8")
    progress.remember("exercises", "half \ud800", True)
    assert progress.read("exercises") == {"a": True, "half ?": True}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_is_not_waited_for(here, capsys):
    os.mkfifo(here / progress.FILE)
    progress.remember("exercises", "kl-slope", True)
    assert progress.read("exercises") == {} and "cannot be kept here" in capsys.readouterr().out
