"""How fast this machine's memory is: the copy and triad of STREAM (McCalpin 1995), as torch runs them.

    copy             c = a                  reads a, writes c       8 bytes an element
    triad            c = a + s * b          reads a, b, writes c   12 bytes
    triad in place   a = a + s * b          reads a, b, writes a   12 bytes

Bytes are counted as STREAM counts them: what the program reads and writes. **Write-allocate is not in them.**
A store to a line that isn't in the cache makes most processors read the line first, so copy really moves up
to 12 bytes and triad up to 16; `Kernel.moved` says so and both numbers are shown. The triad in place writes
only lines it has just read and pays no write-allocate; nor does an optimizer step, which writes p, m and v
where it read them. So it is the kernel to hold a step against, and usually the fastest of the three. The
limit is the fastest of the three, whichever that is.

The arrays are four times the L3 cache, at least 256 MiB and at most 1 GiB each.
"""

from dataclasses import dataclass
from pathlib import Path

MIB = 2**20


@dataclass(frozen=True)
class Kernel:
    """A memory-bound loop over float32 arrays.

    Attributes:
        name: how the table calls it.
        counted: bytes an element that the program reads and writes.
        moved: the same with a read for every line that is written without having been read.
    """

    name: str
    counted: int
    moved: int


KERNELS: tuple[Kernel, ...] = (
    Kernel("copy", counted=8, moved=12),
    Kernel("triad", counted=12, moved=16),
    Kernel("triad in place", counted=12, moved=12),
)


def array_bytes(l3: int | None, quick: bool = False) -> int:
    """Choose the size of one array.

    Example:
        >>> array_bytes(32 * MIB) // MIB, array_bytes(96 * MIB) // MIB, array_bytes(None) // MIB
        (256, 384, 256)
    """
    if quick:
        return MIB
    return min(max(4 * (l3 or 0), 256 * MIB), 1024 * MIB)


def l3_bytes(root: Path = Path("/sys/devices/system/cpu/cpu0/cache")) -> int | None:
    """Read the size of the L3 cache that the first core sees, or None where the system doesn't say."""
    for index in sorted(root.glob("index*")):
        try:
            if (index / "level").read_text().strip() == "3":
                return _parse_size((index / "size").read_text().strip())
        except (OSError, ValueError):
            continue
    return None


def _parse_size(text: str) -> int:
    """Read a size as Linux writes it.

    Example:
        >>> _parse_size("32768K") // MIB
        32
    """
    unit = {"K": 2**10, "M": 2**20, "G": 2**30}.get(text[-1:], 1)
    return int(text.rstrip("KMG")) * unit
