"""Apache Parquet, for data frames: the columns of the CSV with their types, and texts as they are."""

from __future__ import annotations

import io

from pytest_throughput.report.exports.exported import Exported
from pytest_throughput.report.exports.rows import columns_of
from pytest_throughput.results.model import RunResult

__all__ = ["export"]


def export(result: RunResult) -> Exported:
    """Return the table of all trials. Raise ValueError if pyarrow is not installed."""
    try:
        import pyarrow
        from pyarrow.parquet import write_table
    except ImportError:
        raise ValueError(
            "--format parquet needs pyarrow, which is not installed here: pip install 'pytest-throughput[export]'"
        ) from None
    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64(), bool: pyarrow.bool_()}
    table = pyarrow.table({each.name: pyarrow.array(each.values, types[each.kind]) for each in columns_of(result)})
    file = io.BytesIO()
    write_table(table, file)
    return Exported(file.getvalue())
