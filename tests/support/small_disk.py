"""A disk that is really full, for one program: filled and freed by the test.

Where namespaces can be made (root with CAP_SYS_ADMIN, or an ordinary user where user namespaces are
allowed) it is a tmpfs of a few megabytes in a mount namespace of its own, with ballast in it: the
kernel answers ENOSPC. Where not (root in an ordinary container) it is a limit on the size of files,
set on the running program: the kernel answers EFBIG to every write to a file. Both are refused
writes of a real kernel to a real program; `how` says which one it is.

`home` is the directory as the program sees it, `seen` as the test does, `prefix` is what the
program has to be started with.
"""

import errno
import os
import resource
import subprocess
from pathlib import Path

from oncall import Failure

# What the namespace lives in; it ends with its standard input, so with the test, however that ends.
HOLD = 'mount -t tmpfs -o size={size},mode=0700 small "{mount}" && echo mounted && exec cat'


def holder(flags, script):
    """A process in namespaces of its own that has run `script`, or None with the reason."""
    try:
        process = subprocess.Popen(["unshare", *flags, "sh", "-c", script], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except OSError as error:
        return None, str(error)
    if process.stdout.readline():
        return process, ""
    process.stdin.close()
    return None, process.stderr.read().strip()


class Tmpfs:
    def __init__(self, process, flags, mount):
        self._process = process
        self.how = f"a tmpfs ({' '.join(['unshare', *flags])})"
        self.home = mount / "state"
        self.seen = Path(f"/proc/{process.pid}/root{mount}/state")
        user = ["-U", "--preserve-credentials"] if "-U" in flags else []
        self.prefix = ["nsenter", "-t", str(process.pid), *user, "-m"]
        self._ballast = self.seen.parent / "ballast"

    def fill(self, _):
        with open(self._ballast, "wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(4096))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise Failure(f"filling the disk: {error}") from None

    def free(self, _):
        self._ballast.unlink()

    def close(self):
        self._process.stdin.close()
        self._process.wait()


class Limit:
    """Not a byte more in any file of the program, nor of those started next, until freed."""

    def __init__(self, directory, why_not):
        self.how = f"a limit on the size of files ({why_not})"
        self.home = self.seen = directory / "state"
        self.prefix = []

    def fill(self, program):
        self._set(program, True)

    def free(self, program):
        self._set(program, False)

    def close(self):
        pass

    @staticmethod
    def _set(program, full):
        program.no_room = full
        if not program.running():
            return
        hard = resource.prlimit(program.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (0 if full else hard, hard))


def small_disk(directory, megabytes, only_limit=False):
    mount = directory / "small"
    mount.mkdir()
    if only_limit:
        return Limit(mount, "as asked for")
    reasons = []
    for flags in (["-m"], ["-U", "-r", "-m"]):
        if flags == ["-m"] and os.geteuid() != 0:
            continue
        process, reason = holder(flags, HOLD.format(size=f"{megabytes}m", mount=mount))
        if process:
            return Tmpfs(process, flags, mount)
        reasons.append(f"unshare {' '.join(flags)}: {reason}")
    return Limit(mount, "; ".join(reasons))
