"""TLS contexts, and libraries whose C code opens files where no audit event is raised."""

from __future__ import annotations

from typing import Final

from pytest_asyncguard.catalog.clients.build import THREAD, calls, of
from pytest_asyncguard.catalog.rows import Arguments, Call, Keywords, inside
from pytest_asyncguard.catalog.stdlib import argument

_CONTEXT: Final = "one client or SSL context for all requests, made at start-up"


def _locations(args: Arguments, kwargs: Keywords) -> bool:
    """Whether certificates are read from files; those given as data are not."""
    return any(
        argument(args, kwargs, position, name) is not None
        for position, name in ((1, "cafile"), (2, "capath"))
    )


def _remote(args: Arguments, kwargs: Keywords) -> bool:
    return "://" in str(argument(args, kwargs, 0, "blobpath"))


TLS: Final = (
    Call(
        target="ssl:create_default_context",
        rule="tls-context",
        by_caller=True,
        # With certificates of the caller's own, or none, the system's are not loaded.
        when=inside,
        twin=_CONTEXT,
    ),
    *calls(
        "ssl",
        of("SSLContext", "load_default_certs set_default_verify_paths"),
        "tls-context",
        _CONTEXT,
    ),
    *calls("ssl", "SSLContext.load_verify_locations", "tls-context", _CONTEXT, when=_locations),
)

ROWS: Final = (
    *TLS,
    *calls("h5py._hl.files", "File.__init__", "file", THREAD),
    *calls("netCDF4", "Dataset.__init__?", "file", THREAD),
    *calls(
        "pyarrow.parquet.core",
        "read_table? write_table? ParquetFile.__init__? ParquetWriter.__init__?",
        "file",
        THREAD,
        public="pyarrow.parquet",
    ),
    *calls("pyarrow.csv", "read_csv? write_csv?", "file", THREAD, public="pyarrow.csv"),
    *calls(
        "pyarrow.feather",
        "read_table? read_feather? write_feather?",
        "file",
        THREAD,
        public="pyarrow.feather",
    ),
    *calls("numpy", "fromfile?", "file", THREAD),
    *calls("cv2", "imread? imwrite? VideoCapture.__init__?", "file", THREAD),
    *calls("soundfile", "SoundFile._open?", "file", THREAD),
    *calls(
        "tiktoken.load", "read_file", "sync-client", THREAD, public="tiktoken.load", when=_remote
    ),
)
