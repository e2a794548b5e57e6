#!/usr/bin/env python3
"""Prints what the kernel shows of a directory tree, one JSON object a line, sorted by path.

    manifest.py DIR > manifest.jsonl

Paths, link targets and names of attributes are percent-encoded bytes, as none of them need be UTF-8. `link` is the
first path (in the order of this list) of a group of hard links. Numbers are what lstat(2) says; directory sizes are
left out, since they are the file system's own business.
"""
import hashlib
import json
import os
import stat
import sys
from urllib.parse import quote_from_bytes

KINDS = {
    stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo",
    stat.S_IFCHR: "char", stat.S_IFBLK: "block", stat.S_IFSOCK: "socket",
}


def encode(name):
    return quote_from_bytes(name, safe="/ ,:=+@()[]{}!$&'*;#^~")


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def entries(root):
    found = [b"."]
    for folder, folders, files in os.walk(root):
        below = os.path.relpath(folder, root)
        found += [name if below == b"." else os.path.join(below, name) for name in folders + files]
    return sorted(found)


def main(root):
    first_names = {}
    for path in entries(root):
        full = os.path.join(root, path)
        info = os.lstat(full)
        kind = KINDS[stat.S_IFMT(info.st_mode)]
        entry = {
            "path": encode(path), "kind": kind, "mode": "%04o" % stat.S_IMODE(info.st_mode),
            "uid": info.st_uid, "gid": info.st_gid, "mtime_ns": info.st_mtime_ns,
        }
        if kind == "file":
            entry["size"] = info.st_size
            entry["sha256"] = sha256(full)
        if kind == "symlink":
            entry["target"] = encode(os.readlink(full))
        if kind in ("char", "block"):
            entry["rdev"] = [os.major(info.st_rdev), os.minor(info.st_rdev)]
        if kind != "dir" and info.st_nlink > 1:
            entry["link"] = first_names.setdefault((info.st_dev, info.st_ino), encode(path))
        names = sorted(os.fsencode(name) for name in os.listxattr(full, follow_symlinks=False))
        if names:
            entry["xattrs"] = {
                encode(name): os.getxattr(full, name, follow_symlinks=False).hex() for name in names
            }
        print(json.dumps(entry, separators=(",", ":")))


if __name__ == "__main__":
    main(os.fsencode(sys.argv[1]))
