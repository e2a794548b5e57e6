#!/usr/bin/env python3
"""Fills the volumes that make-docker-disk.sh made: `fill_volumes.py /var/lib/docker/volumes`."""
import os
import socket
import stat
import subprocess
import sys

BLOCK = 4096
DAY = 86400
EPOCH_2012 = 1_330_000_000


def main(volumes):
    for name, fill in {"shop_db-data": database, "every-kind": every_kind, "static-site": static_site}.items():
        os.chdir(os.path.join(volumes, name, "_data"))
        fill()


def database():
    """Files as databases keep them: preallocated, sparse, written in pieces."""
    os.makedirs("base/16384")
    write("PG_VERSION", b"15\n")
    write("base/16384/1259", b"".join(page(n) for n in range(48)))

    with open("base/16384/2619", "wb") as sparse:
        for block in (0, 1, 700, 4095):
            sparse.seek(block * BLOCK)
            sparse.write(page(block))
        sparse.truncate(64 << 20)
    write("sparse-to-the-end", b"")
    os.truncate("sparse-to-the-end", 3 << 30)

    # Allocated and not yet written: the extents are marked so, and read as zeros.
    os.mkdir("wal")
    with open("wal/000000010000000000000001", "wb") as log:
        os.posix_fallocate(log.fileno(), 0, 4 << 20)
        log.write(page(1) * 10)
        log.seek(1 << 20)
        log.write(page(2))
    write("wal/000000010000000000000002", page(3))
    subprocess.run(["fallocate", "-n", "-l", "1M", "wal/000000010000000000000002"], check=True)

    # 400 extents need an extent tree with leaf blocks.
    write("fragmented", b"".join(page(n) for n in range(800)))
    for block in range(1, 800, 2):
        punch("fragmented", block * BLOCK, BLOCK)
    # Two files written in turn lie interleaved.
    with open("turn-a", "wb") as a, open("turn-b", "wb") as b:
        for n in range(60):
            for file in (a, b):
                file.write(page(n))
                file.flush()
                os.fsync(file.fileno())
    write("tail", page(9) * 3 + b"not a whole block")

    for folder, _, files in os.walk("."):
        os.chmod(folder, 0o700)
        for name in files:
            os.chmod(os.path.join(folder, name), 0o600)
            os.chown(os.path.join(folder, name), 999, 999)
        os.chown(folder, 999, 999)


def every_kind():
    """One of everything that a POSIX file system holds."""
    names()
    links()
    specials()
    owners_and_modes()
    attributes()
    times()


def names():
    os.mkdir("names")
    for name in [
        b"with space", b"new\nline", b"tab\there", b"back\\slash", b"-dash", b".hidden", b"..two-dots", b"trailing.",
        b"quote'\"", b"colon:star*question?", b"CON", b"nul.txt", b"case", b"Case", b"CASE", b"percent%41",
        "Grüße-日本語-😀".encode(), "u\u0308-decomposed".encode(), "ü-composed".encode(),
        b"not-utf8-\xff\xfe\x80", b"\xe9t\xe9-latin1", b"escape-\x1b[31m", b"L" * 255,
    ]:
        write(os.path.join(b"names", name), b"named " + name)
    os.makedirs("deep/" + "/".join("level-%02d" % n for n in range(60)))
    write("deep/" + "/".join("level-%02d" % n for n in range(60)) + "/bottom", b"deep")
    os.mkdir("empty-directory")
    write("empty-file", b"")
    write("one-block", b"x" * BLOCK)


def links():
    os.mkdir("links")
    write("links/first", b"one file, three names")
    os.link("links/first", "links/second")
    os.link("links/first", "third-name-elsewhere")
    os.symlink("first", "links/relative")
    os.symlink("/var/lib/docker", "links/absolute")
    os.symlink("../../../../../../../../etc/passwd", "links/outwards")
    os.symlink("no-such-file", "links/dangling")
    os.symlink("loop", "links/loop")
    os.symlink("t" * 59, "links/target-59-bytes")
    os.symlink("t" * 60, "links/target-60-bytes")
    os.symlink("d/" * 500, "links/target-1000-bytes")
    os.symlink(b"\xff not UTF-8", "links/target-not-utf8")


def specials():
    os.mkdir("special")
    os.mkfifo("special/fifo", 0o640)
    os.mknod("special/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod("special/wide-device", stat.S_IFCHR | 0o600, os.makedev(511, 1_000_000))
    os.mknod("special/loop", stat.S_IFBLK | 0o660, os.makedev(7, 200))
    os.mknod("special/whiteout", stat.S_IFCHR, os.makedev(0, 0))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("special/socket")
    os.link("special/fifo", "special/fifo-too")


def owners_and_modes():
    os.mkdir("modes")
    for mode in (0o000, 0o4755, 0o2755, 0o6711, 0o1777, 0o7777, 0o600):
        write("modes/%04o" % mode, b"mode")
        os.chmod("modes/%04o" % mode, mode)
    for name, mode in {"sticky": 0o1777, "setgid": 0o2775, "closed": 0o000}.items():
        os.mkdir("modes/" + name)
        os.chmod("modes/" + name, mode)
    write("modes/database-owner", b"999")
    os.chown("modes/database-owner", 999, 999)
    write("modes/high-owner", b"above 65535")
    os.chown("modes/high-owner", 4_000_000, 3_000_000)
    os.symlink("sticky", "modes/owned-link")
    os.lchown("modes/owned-link", 1000, 1001)


def attributes():
    os.mkdir("attributes")
    for name in ("user", "trusted", "acl", "in-a-block", "shares-the-block", "capability", "inline-value-edge"):
        write("attributes/" + name, name.encode())
    os.setxattr("attributes/user", "user.comment", b"seen by everyone")
    os.setxattr("attributes/user", "user.empty", b"")
    os.setxattr("attributes/user", "user.bytes", bytes(range(256))[:40])
    os.setxattr("attributes/trusted", "trusted.overlay.opaque", b"y")
    for name in ("in-a-block", "shares-the-block"):
        os.setxattr("attributes/" + name, "user.large", b"a value too long for the inode " * 60)
    os.setxattr("attributes/inline-value-edge", "user.v", b"v" * 64)
    subprocess.run(["setfacl", "-m", "u:999:rw,g:4000000:r,m::rwx", "attributes/acl"], check=True)
    os.mkdir("attributes/default-acl")
    subprocess.run(["setfacl", "-d", "-m", "u:1000:rwx,g:100:r-x", "attributes/default-acl"], check=True)
    os.mkdir("attributes/directory")
    os.setxattr("attributes/directory", "user.on-a-directory", b"yes")
    write("attributes/default-acl/inherits", b"the ACL of its directory")
    subprocess.run(["setcap", "cap_net_bind_service,cap_net_raw+ep", "attributes/capability"], check=True)


def times():
    os.mkdir("times")
    for name, seconds, nanoseconds in [
        ("nanoseconds", EPOCH_2012, 123_456_789), ("epoch", 0, 0), ("before-1970", -DAY * 365, 250_000_000),
        ("first-of-32-bits", -(1 << 31), 0), ("last-of-31-bits", (1 << 31) - 1, 999_999_999),
        ("after-2038", 1 << 31, 1), ("after-2106", (1 << 32) + 5, 7), ("after-2300", 10_500_000_000, 999_999_999),
    ]:
        write("times/" + name, name.encode())
        os.utime("times/" + name, ns=(EPOCH_2012 * 10**9, seconds * 10**9 + nanoseconds))
    os.symlink("nanoseconds", "times/link")
    os.utime("times/link", ns=(0, 1_000_000_000_000_000_001), follow_symlinks=False)
    os.utime("times", ns=(0, 1_500_000_000_123_456_789))


def static_site():
    """Many small files: the directory needs an index (htree)."""
    os.mkdir("assets")
    write("index.html", b"<!doctype html><title>shop</title>\n")
    for n in range(300):
        write("assets/page-%03d-of-the-static-site.html" % n, b"<p>page %d</p>\n" % n)
        os.chown("assets/page-%03d-of-the-static-site.html" % n, 33, 33)
    # Deleted entries leave gaps in directory blocks.
    for n in range(0, 300, 10):
        os.remove("assets/page-%03d-of-the-static-site.html" % n)


def page(number):
    """A block of text that says where it belongs."""
    line = b"page %06d of the table, written by no database\n" % number
    return (line * (BLOCK // len(line) + 1))[:BLOCK]


def punch(path, offset, length):
    subprocess.run(["fallocate", "-p", "-o", str(offset), "-l", str(length), path], check=True)


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)


if __name__ == "__main__":
    main(sys.argv[1])
