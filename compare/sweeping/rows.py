"""The rows of a sweep on disk, in Parquet: whole files only, appended as they come, one row a cell.

    OUT/rows/KEY.parquet        what came in last, a file for each process that ended
    OUT/rows/BLOCK-KEY.parquet  many of those in one
    OUT/sweep.parquet           all of it, once all is done

A file is written beside its place and moved there; one that is damaged is removed, and its cells are done again. A row
that stands in two files, since a command was killed between writing the one and removing the other, counts once.
"""

from pathlib import Path

from compare import plain_files
from compare.contract import UndecidedError

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ModuleNotFoundError as error:
    raise UndecidedError("pyarrow is not installed; install: pip install '.[cluster]' -c constraints.txt") from error

SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("implementation", pa.string()),
        ("optimiser", pa.string()),
        ("learning_rate", pa.float64()),
        ("batch_size", pa.int64()),
        ("seed", pa.int64()),
        ("defect", pa.string()),
        ("epochs", pa.int64()),
        ("images", pa.int64()),
        ("tested", pa.int64()),
        ("threads", pa.int64()),
        ("status", pa.string()),
        ("test_accuracy", pa.float64()),
        ("test_loss", pa.float64()),
        ("steps", pa.int64()),
        ("seconds", pa.float64()),
        ("version", pa.string()),
        ("note", pa.string()),
    ]
)
WHOLE = "sweep.parquet"
PARTS = 500  # files, after which they are put together


class Rows:
    """A folder of rows. What is in it is read once, at the beginning.

    damaged: names of files that could not be read, and were removed.
    """

    def __init__(self, folder):
        self.folder, self.damaged = Path(folder), []
        (self.folder / "rows").mkdir(parents=True, exist_ok=True)
        self.parts: list[Path] = []

    def read(self):
        """All rows, each key once, as a table of SCHEMA."""
        tables = [SCHEMA.empty_table()]
        for path in self._files():
            try:
                with pq.ParquetFile(path, page_checksum_verification=True) as file:
                    table = file.read()
                if table.schema != SCHEMA:
                    raise ValueError("found other columns")
                tables.append(table)
            except (OSError, ValueError) as error:  # pyarrow's own are of these
                if isinstance(error, OSError) and error.errno is not None:  # not of its content: no permission, say
                    raise
                self.damaged.append(path.name)
                path.unlink()
        return once(pa.concat_tables(tables))

    def add(self, rows):
        """Append rows, dicts with a value or None for each column, as a whole file."""
        path = self.folder / "rows" / f"{rows[0]['key']}.parquet"
        _write(path, pa.Table.from_pylist(rows, SCHEMA))
        self.parts.append(path)
        if len(self.parts) >= PARTS:
            together = pa.concat_tables([pq.read_table(part) for part in self.parts])
            _write(path.with_name(f"BLOCK-{path.name}"), together)
            for part in self.parts:
                part.unlink()
            self.parts = []

    def replace(self, table, whole=False):
        """Have this table in the place of all that is there: as one block to go on from, or as the whole."""
        before = self._files()
        path = self.folder / WHOLE if whole else self.folder / "rows" / "BLOCK-first.parquet"
        _write(path, table)
        for other in before:
            if other != path:
                other.unlink()
        self.parts = []
        if whole:
            (self.folder / "rows").rmdir()

    def _files(self):
        """The whole and blocks first: what stands twice is theirs."""
        whole = [path for path in [self.folder / WHOLE] if path.exists()]
        return whole + sorted((self.folder / "rows").glob("*.parquet"), key=lambda path: (path.name[0] != "B", path))


def once(table):
    """The table with the first row of each key."""
    seen: set[str] = set()
    first = [key not in seen and not seen.add(key) for key in table["key"].to_pylist()]  # type: ignore[func-returns-value]
    return table.filter(pa.array(first, pa.bool_()))


def _write(path, table):
    with plain_files.replacing(path) as temporary:
        pq.write_table(table, temporary, write_page_checksum=True)
