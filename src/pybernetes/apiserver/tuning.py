"""Settings of the process that matter more than any line of code: malloc, garbage collection, thread switching.

Measured: freed multi-megabyte answers that go back to the kernel are faulted in anew, which was more than half of a
LIST; decoding with the default collector costs nearly twice as much.
"""

import ctypes
import gc
import sys

M_TRIM_THRESHOLD = -1
M_TOP_PAD = -2
M_MMAP_THRESHOLD = -3
_MIB = 1024 * 1024

SWITCH_INTERVAL_SECONDS = 0.0005
"""So that the store's commit thread gets the interpreter soon."""
GC_THRESHOLDS = (100_000, 50, 100)


def tune_malloc() -> bool:
    """Keep freed memory in the process; False where libc has no mallopt."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    mallopt(M_MMAP_THRESHOLD, 1024 * _MIB)
    mallopt(M_TRIM_THRESHOLD, 1024 * _MIB)
    mallopt(M_TOP_PAD, 64 * _MIB)
    return True


def tune_interpreter() -> None:
    """Call when everything that lives as long as the process is there."""
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
