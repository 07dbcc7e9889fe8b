"""The exception tree.

    CrossbookError
    ├── ConfigError          exit 2: a configuration file or an argument is wrong
    ├── MissingError         exit 3: something needed is not there
    ├── RecordingError       exit 1: a recording could not be read in full
    ├── SchemaError          a stream carries a schema version that this reader does not know
    └── StreamError          Redis answered with an error

Kernels never raise: they return the codes of their own modules.
"""

from __future__ import annotations


class CrossbookError(Exception):
    """Root of every error that Crossbook raises on purpose; carries the exit status."""

    exit_status = 1


class ConfigError(CrossbookError):
    """A configuration key is unknown, of the wrong type, or out of range.

    Parameters
    ----------
    file : str
        The configuration file, or ``command line``.
    key : str
        The key, as a dotted path.
    expected, found : str
        What stands in the contract, and what stands in the file.
    """

    exit_status = 2

    def __init__(self, file: str, key: str, expected: str, found: str) -> None:
        super().__init__(f"{file}: {key}: expected {expected}, found {found}")
        self.file, self.key, self.expected, self.found = file, key, expected, found


class MissingError(CrossbookError):
    """Something outside the process is not there; the message says what and how to get it."""

    exit_status = 3


class RecordingError(CrossbookError):
    """A recording is missing, truncated, or holds lines that are not what they should be."""


class SchemaError(CrossbookError):
    """A stream's schema is not the one that this reader knows."""


class StreamError(CrossbookError):
    """Redis answered with an error; the message carries its text."""
