"""tethered.py SIGNAL PARENT COMMAND...: run COMMAND so that it gets SIGNAL when PARENT ends, however that ends.

Linux forgets PR_SET_PDEATHSIG on fork but keeps it through exec (prctl(2)), so it is set here, between the two. Done in
a process of its own rather than by `preexec_fn`, which is not safe in a program with threads.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    end_signal, parent, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, end_signal, 0, 0, 0)
    if os.getppid() != parent:  # it ended before we were tied to it
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - the command line of our own caller


if __name__ == "__main__":
    main()
