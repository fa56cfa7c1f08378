"""Child side: the system calls that reading a document never needs, with their numbers. `seccomp` refuses them.

The numbers are from asm/unistd_64.h (x86_64) and asm-generic/unistd.h (aarch64). - means that the architecture does not
have the call.
"""

from collections.abc import Mapping
from types import MappingProxyType

_MACHINES = ("x86_64", "aarch64")

_REFUSED = """
    socket 41 198, socketpair 53 199, bind 49 200, connect 42 203, listen 50 201, accept 43 202, accept4 288 242,

    ptrace 101 117, process_vm_readv 310 270, process_vm_writev 311 271, process_madvise 440 440,
    process_mrelease 448 448, kcmp 312 272, pidfd_open 434 434, pidfd_getfd 438 438, pidfd_send_signal 424 424,
    tkill 200 130, rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240, setsid 112 157, setpgid 109 154,
    setpriority 141 140, ioprio_set 251 30, sched_setscheduler 144 119, sched_setparam 142 118, sched_setattr 314 274,
    sched_setaffinity 203 122, migrate_pages 256 238, move_pages 279 239,

    mount 165 40, umount2 166 39, pivot_root 155 41, chroot 161 51, fsopen 430 430, fsconfig 431 431, fsmount 432 432,
    fspick 433 433, open_tree 428 428, move_mount 429 429, mount_setattr 442 442, statmount 457 457,
    listmount 458 458, unshare 272 97, setns 308 268,

    chmod 90 -, fchmod 91 52, fchmodat 268 53, fchmodat2 452 452, chown 92 -, fchown 93 55, lchown 94 -,
    fchownat 260 54, truncate 76 45, utime 132 -, utimes 235 -, utimensat 280 88, futimesat 261 -, mknod 133 -,
    mknodat 259 33, setxattr 188 5, lsetxattr 189 6, fsetxattr 190 7, removexattr 197 14, lremovexattr 198 15,
    fremovexattr 199 16, name_to_handle_at 303 264, open_by_handle_at 304 265, fanotify_init 300 262,
    fanotify_mark 301 263, inotify_init 253 -, inotify_init1 294 26, inotify_add_watch 254 27, flock 73 32,
    sync 162 81, syncfs 306 267,

    io_setup 206 0, epoll_create 213 -, epoll_create1 291 20, memfd_create 319 279, memfd_secret 447 447,
    execveat 322 281, shmget 29 194, shmat 30 196, shmctl 31 195, msgget 68 186, msgsnd 69 189, msgrcv 70 188,
    msgctl 71 187, semget 64 190, semop 65 193, semtimedop 220 192, semctl 66 191, mq_open 240 180, mq_unlink 241 181,
    mq_notify 244 184, timer_create 222 107, fallocate 285 47, keyctl 250 219, add_key 248 217, request_key 249 218,

    bpf 321 280, perf_event_open 298 241, userfaultfd 323 282, io_uring_setup 425 425, io_uring_enter 426 426,
    io_uring_register 427 427, kexec_load 246 104, kexec_file_load 320 294, init_module 175 105, finit_module 313 273,
    delete_module 176 106, reboot 169 142, swapon 167 224, swapoff 168 225, sethostname 170 161,
    setdomainname 171 162, acct 163 89, quotactl 179 60, quotactl_fd 443 443, syslog 103 116, iopl 172 -,
    ioperm 173 -, modify_ldt 154 -, personality 135 92, settimeofday 164 170, clock_settime 227 112, adjtimex 159 171,
    clock_adjtime 305 266, vhangup 153 58, uselib 134 -, nfsservctl 180 42, lookup_dcookie 212 18
"""
"""The groups of calls, in this order: networks; other processes, and leaving the own process group; mounts and
namespaces; attributes and locks of files, which Landlock does not protect, and access to files without paths; memory,
messages and watches that no limit counts, that outlive the process, or that count against the server, because they are
counted for each user or system, and disk space that is taken faster than the watchdog looks; the kernel itself."""

_JUDGED = (
    "clone 56 220, clone3 435 435, prlimit64 302 261, prctl 157 167, ioctl 16 29, kill 62 129, tgkill 234 131, "
    "fcntl 72 25, open 2 -, openat 257 56, openat2 437 437, mmap 9 222, close_range 436 436"
)
"""Calls that reading needs with some arguments. With other arguments they are refused."""

LAST = 462
"""The last known call: mseal, of Linux 6.10. For later calls, the filter answers like a kernel that lacks them. Their
numbers are the same on all architectures."""


def _numbers(table: str, machine: str) -> Mapping[str, int]:
    column = 1 + _MACHINES.index(machine)
    rows = [row.split() for row in table.split(",")]
    return MappingProxyType({row[0]: int(row[column]) for row in rows if row[column] != "-"})


REFUSED: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {machine: _numbers(_REFUSED, machine) for machine in _MACHINES}
)
"""Machine → name → number, of the calls that are always refused."""

JUDGED: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {machine: _numbers(_JUDGED, machine) for machine in _MACHINES}
)
"""Machine → name → number, of the calls that are refused with some arguments."""
