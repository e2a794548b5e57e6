#!/usr/bin/env python3
"""Works on a mounted file system for a while, then cuts it off as a power failure does: what has not reached the disk by
then never does. The same SEED does the same work.

    crash_workload.py DIR SEED OPERATIONS [flush|cut|fast]      (as root, on a mounted ext3 or ext4)

With `flush` the kernel writes its journal once more before it is cut off. With `fast` the last operations are such that
fast commits can hold them. Unmount afterwards.
"""
import errno
import fcntl
import os
import random
import shutil
import stat
import struct
import sys

SHUTDOWN = 0x8004587D
FLAGS = {"flush": 1, "cut": 2, "fast": 2}
LAST = 40
JOURNAL_MAGIC = bytes.fromhex("c03b3998")


class Workload:
    def __init__(self, root, seed):
        self.choice = random.Random(seed)
        self.root = root
        self.files = []
        self.folders = [root]
        self.open_unlinked = []
        self.count = 0

    def new_path(self):
        self.count += 1
        name = "%s%05d" % (self.choice.choice(["f", "a-longer-name-", "n" * 100]), self.count)
        return os.path.join(self.choice.choice(self.folders), name)

    def content(self):
        size = self.choice.choice([0, 10, 100, 4096, 5000, 20000, 100000, 300000])
        data = bytearray(self.choice.randbytes(size))
        if self.choice.random() < 0.4:
            for block in range(0, size - 4, 1024):
                data[block:block + 4] = JOURNAL_MAGIC
        return data

    def file(self):
        return self.choice.choice(self.files)

    def create(self):
        path = self.new_path()
        with open(path, "wb") as file:
            file.write(self.content())
        self.files.append(path)

    def append(self):
        with open(self.file(), "ab") as file:
            file.write(self.content())

    def overwrite(self):
        path = self.file()
        with open(path, "r+b") as file:
            file.seek(self.choice.randrange(os.path.getsize(path) + 9000))
            file.write(self.content())

    def truncate(self):
        path = self.file()
        os.truncate(path, self.choice.randrange(os.path.getsize(path) + 100000))

    def unlink(self):
        path = self.file()
        self.files.remove(path)
        os.unlink(path)

    def unlink_while_open(self):
        path = self.file()
        self.open_unlinked.append(open(path, "r+b"))
        self.files.remove(path)
        os.unlink(path)

    def rename(self):
        path = self.file()
        target = self.file() if self.choice.random() < 0.3 else self.new_path()
        if os.path.samefile(path, target) if os.path.lexists(target) else False:
            return
        os.rename(path, target)
        self.files.remove(path)
        if target not in self.files:
            self.files.append(target)

    def link(self):
        path = self.new_path()
        os.link(self.file(), path)
        self.files.append(path)

    def symlink(self):
        os.symlink("t" * self.choice.choice([5, 50, 59, 60, 200]), self.new_path())

    def special(self):
        kind = self.choice.choice([stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
        os.mknod(self.new_path(), kind | 0o640, os.makedev(self.choice.randrange(300), self.choice.randrange(300)))

    def attributes(self):
        path = self.choice.choice(self.files + self.folders)
        for number in range(self.choice.randrange(1, 4)):
            value = self.choice.randbytes(self.choice.choice([3, 30, 300, 700]))
            os.setxattr(path, "user.%d" % self.choice.randrange(6), value)

    def metadata(self):
        path = self.choice.choice(self.files + self.folders)
        os.chmod(path, self.choice.randrange(0o10000))
        os.chown(path, self.choice.randrange(1 << 20), self.choice.randrange(1 << 20))
        os.utime(path, ns=(self.choice.randrange(1 << 60), self.choice.randrange(1 << 60)))

    def many_entries(self):
        folder = self.new_path()
        os.mkdir(folder)
        self.folders.append(folder)
        for number in range(self.choice.choice([5, 60, 150])):
            path = os.path.join(folder, "entry-%04d-%s" % (number, "x" * self.choice.randrange(60)))
            if number % 3:
                os.close(os.open(path, os.O_CREAT))
            else:
                os.link(self.file(), path)

    def remove_folder(self):
        if len(self.folders) < 3:
            return
        folder = self.choice.choice(self.folders[1:])
        shutil.rmtree(folder)
        inside = lambda path: path == folder or path.startswith(folder + "/")
        self.folders = [path for path in self.folders if not inside(path)]
        self.files = [path for path in self.files if not inside(path)]

    def preallocate(self):
        with open(self.file(), "r+b") as file:
            os.posix_fallocate(file.fileno(), self.choice.randrange(50000), self.choice.randrange(1, 200000))

    def fsync(self):
        handle = os.open(self.choice.choice(self.files + self.folders), os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)

    def step(self, only_fast):
        if len(self.files) < 4:
            return self.create()
        operations = {
            self.create: 20, self.append: 10, self.overwrite: 10, self.truncate: 6, self.unlink: 6,
            self.unlink_while_open: 2, self.rename: 8, self.link: 4, self.symlink: 3, self.special: 2,
            self.attributes: 5, self.metadata: 5, self.many_entries: 2, self.remove_folder: 2,
            self.preallocate: 2, self.fsync: 14,
        }
        if only_fast:
            for slow in (self.attributes, self.unlink_while_open, self.remove_folder, self.preallocate):
                del operations[slow]
        operation, = self.choice.choices(list(operations), operations.values())
        operation()


def main(root, seed, operations, ending="cut"):
    workload = Workload(root, int(seed))
    handle = os.open(root, os.O_RDONLY)
    for left in reversed(range(int(operations))):
        try:
            workload.step(ending == "fast" and left < LAST)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP):
                raise
    workload.fsync()
    fcntl.ioctl(handle, SHUTDOWN, struct.pack("I", FLAGS[ending]))


if __name__ == "__main__":
    main(*sys.argv[1:])
