"""No file makes a reader take more than 1 GiB: what unpacks to more, or declares it, is refused by a message of ours."""

import gzip
import re
import resource
import struct
import subprocess
import sys
import tarfile
import textwrap
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

MEBIBYTES = 1024

READ = {
    "table": "from scar.data.sources.table import TableSource; TableSource(root=path).load(None)",
    "labels": "from scar.data.sources.embeddings_file import EmbeddingsFile; "
    "EmbeddingsFile(root=str(Path(path).parent), labels_file=Path(path).name).load(None)",
    "vectors": "from scar.data.sources.embeddings_file import EmbeddingsFile; "
    "EmbeddingsFile(root=str(Path(path).parent), file=Path(path).name, labels_file='labels.csv').load(None)",
    "shard": "from scar.data.sources.webdataset import read_shard; read_shard(Path(path), 'train')",
    "image": "from scar.data.media import ImageFiles; ImageFiles([Path(path)], (0.0, 65535.0))[0]",
    "sound": "from scar.data.media import AudioFile; AudioFile(Path(path)).read(16000)",
    "video": "from scar.data.media import VideoFile; VideoFile(Path(path)).frames(4)",
}
IMPORTS = "import numpy, PIL.Image, soundfile, av, soxr, pyarrow.parquet, safetensors, safetensors.numpy"
PROGRAM = """
import sys, resource
from pathlib import Path
{imports}
import scar.data.sources.table, scar.data.sources.embeddings_file, scar.data.sources.webdataset
path = sys.argv[1]
before = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (before + {limit} * 2**20,) * 2)
try:
    {read}
    print("read")
except (ValueError, FileNotFoundError) as error:
    print(f"refused: {{error}}")
"""


def zeros(size: int) -> Iterator[bytes]:
    for _ in range(size >> 20):
        yield b"a" * (1 << 20)


def gz(path: Path, *parts: bytes, size: int = 0, end: bytes = b"") -> Path:
    with gzip.open(path, "wb", compresslevel=1) as file:
        for part in (*parts, *zeros(size), end):
            file.write(part)
    return path


def one_field(folder: Path) -> Path:
    return gz(folder / "a.csv.gz", b"text,label\n", size=1500 << 20, end=b",x\n")


def one_quoted_field(folder: Path) -> Path:
    return gz(folder / "a.csv.gz", b'text,label\n"', *[b"b" * (1 << 20) + b"\n"] * 1500, end=b'",x\n')


def one_line(folder: Path) -> Path:
    return gz(folder / "a.jsonl.gz", b'{"text": "', size=1500 << 20, end=b'", "label": "x"}\n')


def nested(folder: Path) -> Path:
    return gz(folder / "a.jsonl.gz", b'{"label": "x", "text": [', b"[]," * (15 << 20), b"[]]}\n")


def one_array(folder: Path) -> Path:
    return gz(folder / "a.json.gz", b"[\n", *[b'{"text": "x", "label": "a"},\n' * 10000] * 500, end=b"{}]")


def labels_beside(folder: Path) -> Path:
    np.save(folder / "embeddings.npy", np.eye(4, dtype=np.float32))
    return gz(folder / "labels.csv.gz", b"label\n", size=1500 << 20)


def array_header(folder: Path) -> Path:
    (folder / "labels.csv").write_text("label\na\nb\n")
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 1000), }\n"
    (folder / "e.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"\0" * 64)
    return folder / "e.npy"


def tensor_header(folder: Path) -> Path:
    (folder / "labels.csv").write_text("label\na\nb\n")
    (folder / "e.safetensors").write_bytes(struct.pack("<Q", 1 << 40) + b"{}" * 8)
    return folder / "e.safetensors"


def long_name(folder: Path) -> Path:
    about = tarfile.TarInfo("x")
    about.type, about.size = tarfile.GNUTYPE_LONGNAME, 6 << 30
    (folder / "a.tar").write_bytes(about.tobuf(tarfile.GNU_FORMAT) + b"x" * 1024)
    return folder / "a.tar"


def huge_member(folder: Path) -> Path:
    about = tarfile.TarInfo("0.txt")
    about.size = 6 << 30
    (folder / "a.tar").write_bytes(about.tobuf(tarfile.GNU_FORMAT) + b"x" * 1024)
    return folder / "a.tar"


def png(path: Path, width: int, height: int, depth: int, colour: int) -> Path:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    packer = zlib.compressobj(1)
    row = b"\0" * (1 + width * channels * depth // 8)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b""))
    return path


def bomb(folder: Path) -> Path:
    return png(folder / "a.png", 60000, 6000, 8, 0)


def transparent(folder: Path) -> Path:
    return png(folder / "a.png", 9400, 9400, 8, 6)


def deep(folder: Path) -> Path:
    return png(folder / "a.png", 9400, 9400, 16, 0)


def silence(folder: Path) -> Path:
    import soundfile

    with soundfile.SoundFile(folder / "a.flac", "w", 44100, 2, "PCM_16") as file:
        for _ in range(300):
            file.write(np.zeros((1 << 20, 2), np.float32))
    return folder / "a.flac"


def flac_header(folder: Path) -> Path:
    import soundfile

    soundfile.write(folder / "a.flac", np.zeros(4000), 16000)
    content = bytearray((folder / "a.flac").read_bytes())
    content[21] |= 0x0F  # total samples, 36 bits
    content[22:26] = b"\xff" * 4
    (folder / "a.flac").write_bytes(content)
    return folder / "a.flac"


CASES: list[tuple[str, Callable[[Path], Path], str]] = [
    ("table", one_field, "refused: .*longer than"),
    ("table", one_quoted_field, "refused: "),
    ("table", one_line, "refused: .*longer than"),
    ("table", nested, "refused: .*longer than"),
    ("table", one_array, "refused: .*longer than .*jsonl"),
    ("labels", labels_beside, "refused: .*longer than"),
    ("vectors", array_header, "refused: .*cannot be read"),
    ("vectors", tensor_header, "refused: .*cannot be read"),
    ("shard", long_name, "refused: .*is not a whole tar file"),
    ("shard", huge_member, "refused: .*is cut short"),
    ("image", bomb, "refused: .*decompression bomb"),
    ("image", transparent, "read"),
    ("image", deep, "read"),
    ("sound", silence, "refused: .*cut it into shorter files"),
    ("sound", flac_header, "refused: "),
]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(resource, "RLIMIT_AS") or not Path("/proc/self/statm").exists(), reason="needs Linux")
@pytest.mark.parametrize(("kind", "make", "expected"), CASES, ids=[make.__name__ for _, make, _ in CASES])
def test_no_file_takes_more_than_a_gibibyte(
    tmp_path: Path, kind: str, make: Callable[[Path], Path], expected: str
) -> None:
    program = PROGRAM.format(imports=IMPORTS, limit=MEBIBYTES, read=READ[kind])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(make(tmp_path))],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.match(expected, done.stdout, re.DOTALL), done.stdout[:500]
