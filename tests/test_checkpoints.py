import errno
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors import torch as safetensors_torch
from torch import nn

from vae_helpers import checkpoints
from vae_helpers.checkpoints import load_into, save
from vae_helpers.models import VAE


def tiny(seed=0, width=3):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width))


def bits(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(model, before):
    return all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "tiny.safetensors"
    save(tiny(1), path, meta={"seed": 1})
    return path


def refused(path, *words):
    """Loading must fail with these words, never advise unsafe loading, and leave the model bit-identical."""
    model = tiny(0)
    before = bits(model)
    with pytest.raises(ValueError) as caught:
        load_into(model, path)
    assert same(model, before)
    text = str(caught.value)
    assert "weights_only" not in text and all(word in text for word in words), text


@pytest.mark.parametrize("name", ["a.safetensors", "mit Leerzeichen/ü 中.safetensors"])
def test_round_trip_keeps_every_bit_and_the_meta(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    model, other = VAE(seed=3), VAE(seed=4)
    save(model, path, meta={"beta": 1.0, "note": "größer"})
    assert load_into(other, str(path)) == {"beta": 1.0, "note": "größer"}
    assert same(other, bits(model))
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_half_precision_is_small_and_loads_into_float32(tmp_path):
    model, other = VAE(seed=3), VAE(seed=4)
    save(model, tmp_path / "full")
    save(model, tmp_path / "half", half=True)
    load_into(other, tmp_path / "half")
    assert (tmp_path / "half").stat().st_size < 0.52 * (tmp_path / "full").stat().st_size
    for name, tensor in other.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, model.state_dict()[name].half().float())


def test_integer_buffers_survive_half_precision(tmp_path):
    model, other = tiny(0), tiny(1)
    model[1].num_batches_tracked += 123457
    save(model, tmp_path / "c", half=True)
    load_into(other, tmp_path / "c")
    assert other[1].num_batches_tracked == 123457


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "an empty file"),
        (b"hello, I am text\n" * 20, "another kind of file"),
        (b"<!DOCTYPE html><html>Sign in</html>", "an HTML page"),
        (b"\n  <html></html>", "an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "git-lfs pointer"),
        (b"\xff" * 40, "another kind of file"),
        (b"\x00" * 40, "another kind of file"),
        (b"\x80" * 40, "another kind of file"),
        (b"PKs are primary keys", "another kind of file"),
        (b"PK\x03\x04" + b"\0" * 40, "a zip archive"),
    ],
)
def test_other_files_are_not_checkpoints(tmp_path, content, word):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    refused(path, "not a checkpoint", str(path), word)


def test_every_truncation_is_refused(stored):
    content = stored.read_bytes()
    for size in range(len(content)):
        stored.write_bytes(content[:size])
        refused(stored, "not a checkpoint")
    stored.write_bytes(content + b"\0")
    refused(stored, "not a checkpoint")


def test_every_flipped_byte_is_refused(stored):
    content = stored.read_bytes()
    for i in range(len(content)):
        for bit in (0, 6):
            damaged = bytearray(content)
            damaged[i] ^= 1 << bit
            stored.write_bytes(damaged)
            refused(stored, str(stored))


class Bomb:
    def __reduce__(self):
        return os.mkdir, (os.environ["BOMB"],)


@pytest.mark.parametrize("write", [lambda p: p.write_bytes(pickle.dumps(Bomb())), lambda p: torch.save(Bomb(), p)])
def test_a_pickle_is_refused_and_nothing_runs(tmp_path, monkeypatch, write):
    monkeypatch.setenv("BOMB", str(tmp_path / "it-ran"))
    write(tmp_path / "model.pt")
    refused(tmp_path / "model.pt", "not a checkpoint", "can run code")
    assert not (tmp_path / "it-ran").exists()


def test_other_sizes_name_both_and_change_nothing(tmp_path):
    save(tiny(1, width=5), tmp_path / "wide")
    refused(tmp_path / "wide", "0.weight is 5×2 in the file and 3×2 in the model")
    save(nn.Sequential(nn.Linear(2, 3)), tmp_path / "short")
    refused(tmp_path / "short", "absent in the file")
    model = VAE(latent_dim=2)
    save(VAE(latent_dim=16), tmp_path / "sixteen")
    before = bits(model)
    with pytest.raises(ValueError, match="32×128 in the file and 4×128 in the model"):
        load_into(model, tmp_path / "sixteen")
    assert same(model, before)


def test_nan_is_refused_when_saving_and_when_loading(tmp_path, stored, monkeypatch):
    model, good = tiny(), stored.read_bytes()
    with torch.no_grad():
        model[0].weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"0\.weight holds NaN or infinity"):
        save(model, stored)
    assert stored.read_bytes() == good
    monkeypatch.setattr(checkpoints, "_check_finite", lambda *args: None)
    save(model, tmp_path / "nan")
    monkeypatch.undo()
    refused(tmp_path / "nan", "0.weight", "NaN")


def test_weights_too_large_for_half_precision_are_refused(tmp_path):
    model = tiny()
    with torch.no_grad():
        model[0].weight[0, 0] = 1e6
    with pytest.raises(ValueError, match="float16"):
        save(model, tmp_path / "c", half=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("kept", "value", "wanted"), [("double", 1e300, "float32"), ("float", 1e6, "float16")])
def test_weights_too_large_for_the_model_are_refused(tmp_path, kept, value, wanted):
    big, model = getattr(tiny(), kept)(), tiny(2).to(getattr(torch, wanted))
    with torch.no_grad():
        big[0].weight[0, 0] = value
    save(big, tmp_path / "big")
    before = bits(model)
    with pytest.raises(ValueError, match=rf"0\.weight holds NaN or infinity as {wanted}; .*big was not loaded"):
        load_into(model, tmp_path / "big")
    assert same(model, before)


def test_a_file_of_somebody_else_is_named_as_such(tmp_path):
    safetensors_torch.save_file(bits(tiny(1)), tmp_path / "theirs")
    refused(tmp_path / "theirs", "was not written by save()")


def test_a_meta_that_is_not_json_changes_nothing(tmp_path):
    tensors, text = bits(tiny(1)), "{not json"
    metadata = {"meta": text, "sha256": checkpoints._digest(tensors, text)}
    safetensors_torch.save_file(tensors, tmp_path / "odd", metadata)
    refused(tmp_path / "odd", "its meta is not JSON")


def test_a_file_is_read_once_whatever_happens_to_it_meanwhile(stored, monkeypatch):
    def vanishing(path):
        content = read(path)
        path.unlink()
        return content

    read, model = Path.read_bytes, tiny(0)
    monkeypatch.setattr(Path, "read_bytes", vanishing)
    assert load_into(model, stored) == {"seed": 1} and same(model, bits(tiny(1)))
    assert not stored.exists()


def test_meta_that_json_cannot_hold(tmp_path):
    for meta in ({"x": torch.ones(2)}, {"x": float("nan")}):
        with pytest.raises(ValueError, match="meta must be a dict"):
            save(tiny(), tmp_path / "c", meta=meta)
    assert not list(tmp_path.iterdir())


def test_missing_file_and_missing_folder_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no checkpoint at .*nowhere"):
        load_into(tiny(), tmp_path / "nowhere")
    with pytest.raises(OSError, match=r"the file cannot be written.*nofolder"):
        save(tiny(), tmp_path / "nofolder" / "c")


def test_a_full_disk_keeps_the_old_file(stored, monkeypatch):
    good = stored.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device.*intact.*tiny") as caught:
        save(tiny(2), stored)
    assert caught.value.errno == errno.ENOSPC
    assert stored.read_bytes() == good and [p.name for p in stored.parent.iterdir()] == [stored.name]


@pytest.mark.skipif(os.name == "nt", reason="kills by signal")
def test_killed_during_save_the_previous_checkpoint_loads(tmp_path):
    path = tmp_path / "c.safetensors"
    code = (
        "import sys, torch\n"
        "from vae_helpers.checkpoints import save\n"
        "model = torch.nn.Linear(300, 300)\n"
        "save(model, sys.argv[1]); print('ready', flush=True)\n"
        "while True: save(model, sys.argv[1])\n"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(checkpoints.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    for delay in (0.0, 0.013, 0.037):
        child = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE, env=env)
        assert child.stdout.readline().strip() == b"ready"
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        child.wait()
        load_into(nn.Linear(300, 300), path)


def test_torch_load_is_never_called():
    assert not re.search(r"\btorch\.load", Path(checkpoints.__file__).read_text(encoding="utf-8"))
