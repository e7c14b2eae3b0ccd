import asyncio
import hashlib
import inspect
import io
import os
import tarfile
import unittest
import zipfile

import numpy as np
import pytest
from sklearn.datasets import load_digits
from typer.testing import CliRunner

from adamas.lab.cli import app
from adamas.lab.data import digits, fetch, places, texts
from adamas.lab.data.registry import SOURCES, Archive, File, Source
from adamas.lab.errors import LabError


def test_digits_are_scikit_learns_split_in_two():
    data = digits()
    images = np.concatenate([split[0].numpy() for split in (data.train, data.test)]) * 16
    labels = np.concatenate([split[1].numpy() for split in (data.train, data.test)])
    inputs, targets = load_digits(return_X_y=True)
    ours = sorted(map(tuple, np.column_stack([images, labels]).tolist()))
    assert ours == sorted(map(tuple, np.column_stack([inputs, targets]).tolist()))
    assert (len(data.train[0]), len(data.test[0])) == (1438, 359)


def test_both_splits_have_all_classes():
    data = digits()
    for split in (data.train, data.test):
        counts = np.bincount(split[1].numpy(), minlength=10)
        assert counts.min() > 0.07 * counts.sum()


CONTENT = b"1,2,3\n"


def checksum(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, and a pip that reaches nothing but a folder of the test's own."""
    monkeypatch.setenv("ADAMAS_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "releases"))
    (tmp_path / "releases").mkdir()
    return tmp_path / "cache"


def wheel(folder, content=CONTENT):
    """A release that pip takes for one."""
    path = folder / "tinydata-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tinydata/sub/table.csv", content)
        archive.writestr("tinydata-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tinydata\nVersion: 1.0\n")
        archive.writestr("tinydata-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("tinydata-1.0.dist-info/RECORD", "")
    return path


def tiny(archive_sha256="0" * 64, **fields):
    archive = Archive("tinydata==1.0", archive_sha256, "tinydata", **fields)
    file = File("sub/table.csv", len(CONTENT), checksum(CONTENT))
    return Source("tiny", "a table", "nobody", (file,), module="tinydata_nowhere", archive=archive)


def test_pip_fetches_one_file_and_nothing_else_is_left(tmp_path, cache):
    data = tiny(checksum(wheel(tmp_path / "releases").read_bytes()))
    assert places.find(data) is None
    [path] = fetch.get(data)
    assert path.read_bytes() == CONTENT
    assert [file for file in cache.rglob("*") if file.is_file()] == [path]
    assert places.find(data) == [path]
    # It is here now: no second download.
    (tmp_path / "releases" / "tinydata-1.0-py3-none-any.whl").unlink()
    assert fetch.get(data) == [path]


def test_pip_refuses_another_archive(tmp_path, cache):
    wheel(tmp_path / "releases")
    with pytest.raises(LabError, match=r"pip can't download tinydata==1.0 .*--from FILE-OR-URL"):
        fetch.get(tiny())
    assert not [file for file in cache.rglob("*") if file.is_file()]


def test_no_network_is_said(cache):
    with pytest.raises(LabError, match=r"pip can't download tinydata==1.0 \(ERROR: .*network"):
        fetch.get(tiny())


def packed(tmp_path, form):
    """The data in a form that `--from` takes, and its source."""
    if form == "wheel":
        return wheel(tmp_path), tiny()
    if form == "folder":
        (tmp_path / "given").mkdir()
        (tmp_path / "given" / "table.csv").write_bytes(CONTENT)
        return tmp_path / "given", tiny()
    if form == "file":
        (tmp_path / "other_name.csv").write_bytes(CONTENT)
        return tmp_path / "other_name.csv", tiny()
    inside = io.BytesIO()
    with tarfile.open(fileobj=inside, mode="w:gz") as archive:
        info = tarfile.TarInfo("tinydata/sub/table.csv")
        info.size = len(CONTENT)
        archive.addfile(info, io.BytesIO(CONTENT))
    with tarfile.open(tmp_path / "release.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("release/more/data.tar.gz")
        info.size = len(inside.getvalue())
        archive.addfile(info, io.BytesIO(inside.getvalue()))
    return tmp_path / "release.tar.gz", tiny(source=True, inner="release/more/data.tar.gz")


@pytest.mark.parametrize("form", ["wheel", "folder", "file", "nested"])
@pytest.mark.parametrize("address", [False, True])
def test_a_user_can_bring_the_data(tmp_path, cache, form, address):
    origin, data = packed(tmp_path, form)
    if address and form == "folder":
        pytest.skip("a folder has no address to fetch")
    [path] = fetch.get(data, origin.as_uri() if address else str(origin))
    assert path.read_bytes() == CONTENT


def test_what_a_user_brings_is_checked(tmp_path, cache):
    with pytest.raises(LabError, match=r"wrong checksum.*nothing was kept"):
        fetch.get(tiny(), str(wheel(tmp_path, b"1,2,4\n")))
    with pytest.raises(LabError, match="there is no file"):
        fetch.get(tiny(), str(tmp_path / "nothing"))
    with pytest.raises(LabError, match=r"can't fetch .*check the address"):
        fetch.get(tiny(), (tmp_path / "nothing").as_uri())
    (tmp_path / "releases" / "x.csv").write_text("")
    with pytest.raises(LabError, match=r"has no sub/table.csv: it should be the archive of tinydata==1.0"):
        fetch.get(tiny(), str(tmp_path / "releases"))
    assert not [file for file in cache.rglob("*") if file.is_file()]


def test_an_installed_file_that_was_changed_is_not_used(tmp_path, monkeypatch):
    folder = tmp_path / "site" / "tinydata_nowhere" / "sub"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise RuntimeError('it was imported')")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    (folder / "table.csv").write_bytes(CONTENT)
    assert places.find(tiny()) == [folder / "table.csv"]
    (folder / "table.csv").write_bytes(b"1,2,4\n")
    assert places.find(tiny()) is None


def test_what_is_missing_or_damaged_says_what_to_do(cache):
    with pytest.raises(LabError, match="minilm is not here: adamas data get minilm"):
        places.files("minilm")
    (cache / "mnist5k").mkdir(parents=True)
    (cache / "mnist5k" / "mnist_5k.csv.gz").write_bytes(b"half of it")
    with pytest.raises(LabError, match=r"wrong checksum\): adamas data get mnist5k"):
        places.files("mnist5k")
    with pytest.raises(LabError, match="did you mean 'digits'"):
        places.files("digit")


def test_every_source_can_be_had_somehow():
    for name, data in SOURCES.items():
        assert data.name == name
        assert data.remedy
        assert all(file.sha256 for file in data.files) or not data.archive
        assert len({file.name for file in data.files}) == len(data.files)


def test_the_command_lists_and_gets(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    listed = CliRunner().invoke(app, ["data", "ls"])
    assert listed.exit_code == 0
    assert all(name in listed.stdout for name in SOURCES)
    assert "no: adamas data get mnist5k" in listed.stdout
    here = CliRunner().invoke(app, ["data", "get", "digits"])
    assert "sklearn/datasets/data" in here.stdout
    for words, said in (
        (["mnist5k", "--from", str(tmp_path / "x")], "there is no file"),
        (["mnist"], "did you mean 'mnist5k'"),
    ):
        wrong = CliRunner().invoke(app, ["data", "get", *words])
        assert wrong.exit_code == 1
        assert said in wrong.stderr
        assert len(wrong.stderr.strip().splitlines()) == 2


def test_text_is_english_about_python():
    text = texts.pydoc()
    assert len(text) > 300_000
    assert set(text) <= {"\n", *map(chr, range(32, 127))}
    for phrase in ('The "assert" statement', "Assignment statements", "garbage-collected"):
        assert phrase in text


def test_docstrings_are_those_of_the_library():
    data = texts.docstrings()
    assert data.classes == texts.LIBRARIES
    by_text = dict(zip(data.texts, data.labels, strict=True))
    assert by_text[str(inspect.getdoc(unittest.TestCase))] == data.classes.index("unittest")
    assert by_text[str(inspect.getdoc(asyncio.gather))] == data.classes.index("asyncio")
    assert len(by_text) == len(data.texts)
    assert 0.24 < data.tests / len(data.texts) < 0.26
