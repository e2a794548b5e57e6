"""Makes a directory with every kind of file and metadata a Linux file system holds. Needs root.

    rich_tree.py DIR
"""
import os
import socket
import subprocess
import sys

root = os.fsencode(sys.argv[1])
os.mkdir(root)
os.chdir(root)


def write(name, content=b"", mode=0o644):
    with open(name, "wb") as file:
        file.write(content)
    os.chmod(name, mode)


def run(*command):
    subprocess.run(command, check=True)


write(b"empty")
write(b"small", b"some text\n", 0o600)
write(b"large", bytes(range(256)) * 12_345, 0o444)
write(b"new\nline")
write(b"not utf-8 \xff\xfe", b"x")
write("ÿ umlaut ä 漢字".encode(), b"y")
write(b"n" * 255, b"long")
write(b" leading and trailing ")
write(b"-dash")
write(b"back\\slash\ttab*?\"<>|:")
write(b"%41=percent")

deep = b"/".join([b"level %02d " % depth + b"x" * 50 for depth in range(60)])
os.makedirs(deep)
write(deep + b"/bottom", b"far down")

os.mkdir(b"links")
write(b"links/a", b"shared", 0o755)
for name in (b"links/b", b"links/c", b"z-link-elsewhere"):
    os.link(b"links/a", name)
os.symlink(b"links/a", b"links/symlink")
os.link(b"links/symlink", b"links/symlink too", follow_symlinks=False)
os.symlink(b"/nowhere/at all", b"dangling")
os.symlink(b"t" * 4000, b"symlink with a long target")
os.symlink(b"target \xff\n", b"symlink not utf-8")

os.mkfifo(b"fifo", 0o620)
os.link(b"fifo", b"fifo too")
os.mknod(b"char", 0o666 | 0o020000, os.makedev(1, 3))
os.mknod(b"block", 0o660 | 0o060000, os.makedev(259, 1048575))
unix = socket.socket(socket.AF_UNIX)
unix.bind(b"socket")
unix.close()
os.chmod(b"socket", 0o703)

with open(b"sparse", "wb") as file:
    file.truncate(20 << 20)
    for at in (0, 65_536, 1 << 20, (20 << 20) - 5):
        file.seek(at)
        file.write(b"data" if at else b"start" * 2000)
with open(b"only a hole", "wb") as file:
    file.truncate(12_345_678)
with open(b"hole at the end", "wb") as file:
    file.write(b"h" * 5000)
    file.truncate(1 << 20)
with open(b"hole at the start", "wb") as file:
    file.seek(1 << 20)
    file.write(b"e" * 777)
with open(b"many holes", "wb") as file:
    for at in range(0, 4 << 20, 16_384):
        file.seek(at)
        file.write(b"%d" % at)

os.makedirs(b"owners")
for number, (uid, gid, mode) in enumerate([
    (1000, 100, 0o4755), (4_000_000, 3_000_000, 0o2755), (0, 0, 0o6711), (65534, 65534, 0o0000),
    (4_294_967_294, 4_294_967_294, 0o1644),
]):
    name = b"owners/%d" % number
    write(name, b"owned")
    os.chown(name, uid, gid)
    os.chmod(name, mode)
os.symlink(b"owned link", b"owners/symlink")
os.lchown(b"owners/symlink", 1234, 5678)
os.chown(b"fifo", 33, 33)
for name, mode in ((b"sticky", 0o1777), (b"setgid", 0o2775), (b"closed", 0o000), (b"read-only", 0o555)):
    os.mkdir(name)
    write(name + b"/inside", name)
    os.chown(name, 7, 8)
    os.chmod(name, mode)

os.mkdir(b"xattrs")
write(b"xattrs/many")
for name, value in (
    ("user.text", b"value"), ("user.empty", b""), ("user.binary", bytes(range(256)) + b"\n7 a=b\n"),
    ("user.name=with%signs%3D", b"="), ("trusted.overlay.opaque", b"y"), ("security.custom", b"\0\1"),
):
    os.setxattr(b"xattrs/many", name, value)
write(b"xattrs/large")
os.setxattr(b"xattrs/large", "user.large", b"v" * 3500)
os.setxattr(b"xattrs", "user.directory", b"here")
os.setxattr(b"links/symlink", "trusted.symlink", b"on a link", follow_symlinks=False)
os.setxattr(b"fifo", "trusted.fifo", b"on a fifo")
os.setxattr(b"char", "trusted.device", b"on a device")

os.mkdir(b"acls")
write(b"acls/file")
run("setfacl", "-m", "u:1000:rw,u:4000000:r,g:42:x,m:rwx", "acls/file")
os.mkdir(b"acls/with default")
run("setfacl", "-m", "u:1000:rwx,d:u:1000:rwx,d:g:7:r", "acls/with default")
write(b"acls/with default/inherited")
write(b"acls/with default/not inherited")
run("setfacl", "-b", "acls/with default/not inherited")
os.mkdir(b"acls/with default/inner")
write(b"capability", b"\x7fELF", 0o755)
run("setcap", "cap_net_raw,cap_net_admin+ep", "capability")

for name, ns in (
    (b"small", 1_234_567_890_123_456_789), (b"empty", -1), (b"large", -5_000_000_000),
    (b"new\nline", 0), (b"-dash", 4_102_444_800_000_000_001), (b"capability", -2_000_000_000_500_000_000),
    (b"dangling", 86_400_000_000_007), (b"fifo", 99_000_000_001), (b"char", 11_000_000_000),
    (b"links", -7_500_000_000), (b"sticky", 1), (b"xattrs", 10_000_000_000_000_000_000 // 4), (b".", 77_000_000_077),
):
    os.utime(name, ns=(1_600_000_000_000_000_001, ns), follow_symlinks=False)
os.chown(b".", 70, 71)
os.chmod(b".", 0o750)
os.utime(b".", ns=(1, 77_000_000_077))
