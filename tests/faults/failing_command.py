"""A `junior` command on a disk that takes nothing: ERROR HOME COMMAND...

Run with LD_PRELOAD=failing.so and FAIL_UNDER=HOME.
"""

import ctypes
import errno
import sys

from agent.cli import main
from tests.faults.run_failing import KINDS

if __name__ == "__main__":
    error, home, *command = sys.argv[1:]
    ctypes.CDLL(None).fail_at(1, getattr(errno, error), KINDS[error], 1)
    main(["--home", home, *command])
