"""``schema.sql`` beside a recording: a view a stream for DuckDB, with what each column means.

cd DIR && duckdb -init schema.sql
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from libs.storage.columns import TABLES, describe
from libs.storage.parquet import bring_to_disk
from libs.storage.partitions import parts_of

FILE = "schema.sql"
_HEAD = """\
-- Views over this recording; the folder must be the working directory, or DuckDB's file_search_path.
CREATE OR REPLACE MACRO decimal_value(mantissa, exponent) AS
    CASE WHEN exponent < 0 THEN mantissa::DOUBLE / pow(10.0, -exponent) ELSE mantissa::DOUBLE * pow(10.0, exponent) END;
"""


def schema_sql(schemas: dict[str, pa.Schema]) -> str:
    """Return the file's text.

    Parameters
    ----------
    schemas : dict
        Of the streams that have parts; a view of none could not be made.
    """
    parts = [_HEAD]
    for stream, schema in sorted(schemas.items()):
        glob = _text(f"{stream}/date=*/hour=*/part-*.parquet")
        view = _name(stream)
        parts.append(
            f"CREATE OR REPLACE VIEW {view} AS SELECT * FROM read_parquet({glob}, union_by_name = true,\n"
            "    hive_partitioning = true, hive_types = {'date': DATE, 'hour': TINYINT});\n"
            f"COMMENT ON VIEW {view} IS {_text(TABLES.get(stream, stream))};\n"
        )
        columns = [(field.name, _words(field)) for field in schema]
        columns += [(name, describe(name, stream).text) for name in ("date", "hour")]
        parts += [f"COMMENT ON COLUMN {view}.{_name(name)} IS {_text(words)};\n" for name, words in columns]
    return "".join(parts)


def write_schema(root: Path) -> None:
    """Write the file for the streams that a recording has.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    newest: dict[str, tuple[int, Path]] = {}
    for path, place in parts_of(root):
        newest[place.stream] = max(newest.get(place.stream, (-1, path)), (place.group, path))
    text = schema_sql({stream: pq.read_schema(path) for stream, (_, path) in newest.items()})
    draft = root / f".{FILE}.tmp"
    draft.write_text(text, encoding="utf-8")
    bring_to_disk(draft)
    draft.replace(root / FILE)


def _words(field: pa.Field) -> str:
    notes = field.metadata or {}
    text, unit = (notes.get(key, b"").decode() for key in (b"description", b"unit"))
    return f"{text} [{unit}]" if unit else text


def _name(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def _text(words: str) -> str:
    return "'" + words.replace("'", "''") + "'"
