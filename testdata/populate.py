#!/usr/bin/env python3
"""Fills a directory with files of every kind that a file system can hold, the same ones for the same COUNT.

    populate.py DIR [COUNT]      (as root, on a mounted ext2, ext3 or ext4; about COUNT entries, 20000 by default)

What the file system refuses (a long link target, a large attribute, a preallocation) is left out.
"""
import errno
import os
import random
import socket
import stat
import struct
import subprocess
import sys

CHOICE = random.Random(20)
NS = 1_000_000_000


REFUSALS = (errno.ENAMETOOLONG, errno.EOPNOTSUPP, errno.ENOSPC, errno.E2BIG, errno.ERANGE)


def unless_refused(action, *arguments, **options):
    try:
        action(*arguments, **options)
    except OSError as error:
        if error.errno not in REFUSALS:
            raise


def content(size):
    return CHOICE.randbytes(size)


def write(path, data=b""):
    with open(path, "wb") as file:
        file.write(data)


def dress(path):
    """Gives owner, mode and times that no default would give. Times are set last, by `set_times`."""
    os.lchown(path, CHOICE.choice((0, 33, 999, 65534, 4_000_000)), CHOICE.choice((0, 33, 999, 3_000_000_000)))
    if not os.path.islink(path):
        os.chmod(path, CHOICE.choice((0o644, 0o600, 0o755, 0o4755, 0o2711, 0o1777, 0o000, 0o7777)))


def set_times(root):
    """Before 1970, around 2038, far beyond, and with nanoseconds; directories too, so this comes last."""
    for folder, folders, files in os.walk(root, topdown=False):
        for name in files + folders:
            seconds = CHOICE.choice((-1, -2_000_000_000, 0, 1_700_000_000, 2_147_483_648, 4_294_967_296, 12_884_901_000))
            moment = seconds * NS + CHOICE.randrange(NS)
            os.utime(os.path.join(folder, name), ns=(moment, moment), follow_symlinks=False)
    os.utime(root, ns=(1_600_000_000 * NS + 1, 1_600_000_000 * NS + 2))


def small_files(root, count):
    """Directories of 100 files each, of sizes around the edges of blocks."""
    sizes = (0, 1, 59, 60, 61, 100, 1000, 4095, 4096, 4097, 12_289)
    for number in range(count):
        folder = os.path.join(root, b"%03d" % (number // 100))
        if number % 100 == 0:
            os.mkdir(folder)
            dress(folder)
        path = os.path.join(folder, b"file-%d" % number)
        write(path, content(CHOICE.choice(sizes)))
        dress(path)


def many_names(root, count):
    """One directory whose index has more than one level on small blocks."""
    for number in range(count):
        write(os.path.join(root, b"entry-%05d-with-a-name-of-some-length" % number), b"%d" % number)


def strange_names(root):
    names = [b"new\nline", b"tab\tand\x1b[31mescape", b"\xff\xfe not utf-8", b"x" * 255, "ünïcödé 漢字".encode(), b" space ",
             b"-rf", b"back\\slash", b"CON", b"colon:name", b"trailing.", b"quote\"'", b".hidden", b"\x01", b"%41"]
    for name in names:
        write(os.path.join(root, name), name)
        os.mkdir(os.path.join(root, b"d" + name[:254]))
        os.symlink(name, os.path.join(root, b"l" + name[:254]))


def deep(root, levels):
    path = root
    for level in range(levels):
        path = os.path.join(path, b"level-%02d" % level)
        os.mkdir(path)
        write(os.path.join(path, b"here"), b"%d" % level)
        dress(path)


def links(root):
    for number in range(50):
        first = os.path.join(root, b"first-%d" % number)
        write(first, content(number))
        dress(first)
        for other in range(1 + number % 4):
            os.link(first, os.path.join(root, b"other-%d-%d" % (number, other)))
    for size in (1, 58, 59, 60, 61, 255, 1000, 4000, 4095):
        unless_refused(os.symlink, b"t" * size, os.path.join(root, b"symlink-%d" % size))
    for name, target in (b"absolute", b"/etc/passwd"), (b"dangling", b"nowhere"), (b"up", b"../../.."), (b"self", b"self"):
        os.symlink(target, os.path.join(root, name))
        dress(os.path.join(root, name))
    os.link(os.path.join(root, b"dangling"), os.path.join(root, b"dangling-twice"))


def special(root):
    for number in range(20):
        path = os.path.join(root, b"fifo-%d" % number)
        os.mkfifo(path)
        dress(path)
    for number, (major, minor) in enumerate(((1, 3), (0, 0), (8, 17), (259, 300), (511, 70_000), (255, 255))):
        for kind, name in ((stat.S_IFCHR, b"char"), (stat.S_IFBLK, b"block")):
            path = os.path.join(root, b"%s-%d" % (name, number))
            os.mknod(path, kind | 0o640, os.makedev(major, minor))
            dress(path)
    here = os.getcwd()
    os.chdir(root)
    for number in range(5):
        socket.socket(socket.AF_UNIX).bind("socket-%d" % number)
    os.chdir(here)
    os.link(os.path.join(root, b"fifo-0"), os.path.join(root, b"fifo-again"))


def holes(root, huge):
    """Sparse, preallocated and fragmented files; the largest has `huge` bytes."""
    for name, size, pieces in (
        (b"all-hole", 50 << 20, ()), (b"huge-hole", huge, (0, huge // 16 * 15)), (b"middle", 9 << 20, (1 << 20, 5 << 20)),
        (b"end", 3 << 20, ((3 << 20) - 10,)), (b"start", 1 << 20, (0,)), (b"odd", 1_234_567, (77_777, 1_000_001)),
    ):
        with open(os.path.join(root, name), "wb") as file:
            for at in pieces:
                file.seek(at)
                file.write(content(min(5000, size - at)))
            file.truncate(size)
    for name, reserved, written in (b"prealloc", 4 << 20, 100_000), (b"prealloc-only", 1 << 20, 0), (b"prealloc-odd", 777_777, 5):
        with open(os.path.join(root, name), "wb") as file:
            os.posix_fallocate(file.fileno(), 0, reserved)
            file.seek(reserved // 2)
            file.write(content(written))
    reshaped(root)
    files = [open(os.path.join(root, b"fragmented-%d" % number), "wb") for number in range(4)]
    for _ in range(150):
        for file in files:
            file.write(content(4096 * CHOICE.randrange(1, 4)))
            file.flush()
            os.fsync(file.fileno())
    # Every second block punched out, by writing every second one only.
    with open(os.path.join(root, b"comb"), "wb") as file:
        for block in range(0, 2000, 2):
            file.seek(block * 4096)
            file.write(content(100))


def reshaped(root):
    """What fallocate(1) makes of a file of random bytes; ext2 and ext3 leave it as it is."""
    for name, options in (
        (b"punched", "--punch-hole --offset 65536 --length 262144"), (b"punched-odd", "--punch-hole --offset 5000 --length 30001"),
        (b"zeroed", "--zero-range --offset 131072 --length 131072"), (b"collapsed", "--collapse-range --offset 65536 --length 131072"),
        (b"inserted", "--insert-range --offset 65536 --length 131072"), (b"beyond-the-end", "--keep-size --offset 524288 --length 1048576"),
    ):
        path = os.path.join(root, name)
        write(path, content(524_000))
        subprocess.run(["fallocate", *options.split(), path], stderr=subprocess.DEVNULL, check=False)


def acl(*entries):
    """A POSIX ACL as getxattr(2) has it: version 2, then (tag, permissions, id)."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


ACL = acl((1, 7, 0xFFFFFFFF), (2, 4, 999), (2, 6, 4_000_000), (4, 5, 0xFFFFFFFF), (8, 4, 33), (16, 7, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF))
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)


def attribute(path, name, value):
    unless_refused(os.setxattr, path, name, value, follow_symlinks=False)


def attributes(root):
    for number in range(100):
        path = os.path.join(root, b"attributes-%d" % number)
        if number % 10 == 0:
            os.mkdir(path)
        else:
            write(path, content(number))
        dress(path)
        attribute(path, b"user.small", b"value %d" % number)
        attribute(path, b"user.empty", b"")
        if number % 3 == 0:
            attribute(path, b"trusted.overlay.opaque", b"y")
        if number % 4 == 0:
            attribute(path, b"user.large", content(1500))
        if number % 5 == 0:
            attribute(path, b"system.posix_acl_access", ACL)
        if number % 7 == 0 and not os.path.isdir(path):
            attribute(path, b"security.capability", CAPABILITY)
        if number % 9 == 0:
            # More than a block: only the feature ea_inode has a place for it. Two files share each value.
            attribute(path, b"user.huge", b"%02d" % (number // 18) * 10_000)
        if os.path.isdir(path):
            attribute(path, b"system.posix_acl_default", ACL)
    link = os.path.join(root, b"symlink-with-attribute")
    os.symlink(b"nowhere", link)
    attribute(link, b"trusted.of-a-symlink", b"1")
    attribute(link, b"trusted.huge", b"h" * 10_000)


def main(root, count):
    def folder(name):
        path = os.path.join(root, name)
        os.mkdir(path)
        return path

    strange_names(folder(b"names"))
    deep(folder(b"deep"), 60)
    links(folder(b"links"))
    special(folder(b"special"))
    holes(folder(b"holes"), 2 << 30 if count >= 20_000 else 80 << 20)
    attributes(folder(b"attributes"))
    many = min(6000, count // 3)
    many_names(folder(b"many"), many)
    small_files(folder(b"small"), max(0, count - many - 600))
    os.mkdir(os.path.join(root, b"empty"))
    set_times(root)


if __name__ == "__main__":
    main(os.fsencode(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20_000)
