"""The memory allocator of this process: which one it is, and whether it keeps freed memory.

glibc maps each large block anew and gives it back when it is freed, so that every step of a framework that allocates
by ``malloc`` takes a page fault for each page that it writes to. What it takes for large depends on what was freed
before, so that processes of the same code differ.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, Dict, List, Mapping, Optional

__all__ = ["SYSTEM", "TUNED", "allocator_in_use", "give_back_free_memory", "keep_memory", "preload_variables"]

TUNED, SYSTEM = "tuned", "system"

_PARAMETERS = (
    ("MALLOC_MMAP_MAX_", -4, 0),
    ("MALLOC_TRIM_THRESHOLD_", -1, -1),
    ("MALLOC_TOP_PAD_", -2, 64 << 20),
)
"""Variable, number for mallopt(3) and value of each parameter with which glibc keeps its memory: no block is mapped by
itself, the end of the heap is never given back, and heaps of threads, which are at most 64 MiB, are not removed."""
_JEMALLOC_SETTINGS = "oversize_threshold:1,background_thread:true,metadata_thp:auto"
"""The settings of PyTorch's launcher, ``torch.backends.xeon.run_cpu``."""
_PROBE_BYTES = 64 << 20
"""glibc never comes to keep blocks of more than 32 MiB by itself."""


def keep_memory() -> None:
    """Make glibc keep freed memory in this process, and in programs that it starts. Other C libraries stay as they are.

    A parameter whose variable is set stays as well: the user has chosen it.
    """
    mallopt = getattr(_symbols(), "mallopt", None)
    if mallopt is None:
        return
    for variable, parameter, value in _PARAMETERS:
        if variable not in os.environ:
            mallopt(parameter, value)
            os.environ[variable] = str(value)


def give_back_free_memory() -> None:
    """Make glibc give free memory back to the system, so that the peak memory of later steps is known."""
    trim = getattr(_symbols(), "malloc_trim", None)
    if trim is not None:
        trim(0)


def preload_variables(library: str, environment: Mapping[str, str]) -> Dict[str, str]:
    """Return the variables that a process needs beside those of an environment to start with this allocator."""
    preloaded = environment.get("LD_PRELOAD", "").replace(":", " ").split()
    variables = {"LD_PRELOAD": ":".join([library, *(each for each in preloaded if each != library)])}
    if "jemalloc" in os.path.basename(library):
        variables["MALLOC_CONF"] = environment.get("MALLOC_CONF", _JEMALLOC_SETTINGS)
    return variables


def allocator_in_use() -> str:
    """Return ``tuned`` if the C library keeps freed memory, ``system`` if not, or the name of another allocator."""
    symbols = _symbols()
    if symbols is None:
        return SYSTEM
    # Every allocator has this function, and Python does not call it: an executable that calls `malloc` may have an
    # address of its own for it.
    of_allocator = getattr(symbols, "malloc_usable_size", symbols.malloc)
    files = _files_of(_address(of_allocator), _address(symbols.printf))
    if files is not None and files[0] != files[1]:
        return os.path.basename(files[0])
    return TUNED if _keeps_memory(symbols) else SYSTEM


def _keeps_memory(symbols: Any) -> bool:
    """Return whether a large block stays mapped when it is freed. Nothing is written to it, so it takes no memory."""
    from ctypes import c_size_t, c_void_p

    allocate, free = symbols.malloc, symbols.free
    allocate.argtypes, allocate.restype, free.argtypes, free.restype = [c_size_t], c_void_p, [c_void_p], None
    block = allocate(_PROBE_BYTES)
    if block is None:
        return False
    free(block)
    return _files_of(block + _PROBE_BYTES // 2) is not None


def _symbols() -> Any:
    """Return the functions of this process; None where Python has no ctypes."""
    try:
        from ctypes import CDLL

        return CDLL(None)
    except (ImportError, OSError):
        return None


def _address(function: Any) -> int:
    from ctypes import c_void_p, cast

    return cast(function, c_void_p).value or 0


def _files_of(*addresses: int) -> Optional[List[str]]:
    """Return the file mapped at each address, empty for memory of no file; None if nothing is known to be there."""
    found: Dict[int, str] = {}
    with suppress(OSError), open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps:
            span, *_, file = (line.rstrip("\n") + " ").split(" ", 5)
            first, _, end = span.partition("-")
            for address in addresses:
                if int(first, 16) <= address < int(end, 16):
                    found[address] = file.strip()
    return [found[address] for address in addresses] if len(found) == len({*addresses}) else None
