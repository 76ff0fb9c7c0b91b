"""System calls on the mount, on each kind of storage."""

import ctypes
import errno
import mmap
import os
import socket
import stat
from pathlib import Path

import pytest

from tests.fuse.programs import ERROR, NOBODY, as_user, let_all_get_to
from tests.interop.servers import Configuration
from tests.requirements import Need, needs

CONFIGURATION = Configuration(
    shares={"posix": {}, "memory": {"backend": "memory"}, "fixed": {"read only": "yes"}, "closed": {"valid users": "-"}}
)
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2

_libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture(params=["posix", "memory"])
def place(request, mount) -> Path:
    """An empty directory in a share."""
    directory: Path = mount.path / request.param / request.node.name.partition("[")[0]
    directory.mkdir()
    return directory


def refused(number, function, *arguments, **keywords):
    with pytest.raises(OSError, match=r".") as raised:
        function(*arguments, **keywords)
    assert errno.errorcode[raised.value.errno or 0] == errno.errorcode[number]


def renameat2(old: Path, new: Path, flags: int) -> None:
    if _libc.renameat2(-100, bytes(old), -100, bytes(new), flags):
        raise OSError(ctypes.get_errno(), "renameat2")


def test_opening(place):
    file = place / "file"
    refused(errno.ENOENT, os.open, file, os.O_RDONLY)
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640))
    assert stat.S_IMODE(file.stat().st_mode) == 0o640 & ~umask()
    refused(errno.EEXIST, os.open, file, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    file.write_text("contents")
    descriptor = os.open(file, os.O_CREAT | os.O_RDWR)
    assert os.read(descriptor, 100) == b"contents"
    os.close(descriptor)
    os.close(os.open(file, os.O_WRONLY | os.O_TRUNC))
    assert file.stat().st_size == 0
    refused(errno.EISDIR, os.open, place, os.O_WRONLY)
    refused(errno.ENOTDIR, os.open, file / "below", os.O_RDONLY)
    refused(errno.ENOTDIR, os.listdir, file)


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_appending_takes_turns(place):
    file = place / "log"
    first, second = (os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND) for _ in range(2))
    for number in range(50):
        os.write(first, b"a%03d\n" % number)
        os.write(second, b"b%03d\n" % number)
    os.close(first)
    os.close(second)
    assert sorted(file.read_bytes().split()) == sorted(
        b"%c%03d" % (letter, number) for letter in b"ab" for number in range(50)
    )


def test_reading_and_writing(place):
    file = place / "file"
    data = os.urandom(1_500_000)
    with file.open("wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())
    assert file.read_bytes() == data
    with file.open("r+b", buffering=0) as opened:
        opened.seek(2_000_000)
        opened.write(b"end")
        assert os.pread(opened.fileno(), 10, 1_999_995) == bytes(5) + b"end"
        assert os.pread(opened.fileno(), 10, 3_000_000) == b""
        opened.truncate(10)
    assert file.read_bytes() == data[:10]
    os.truncate(file, 20)
    assert file.read_bytes() == data[:10] + bytes(10)


def test_what_is_unlinked_stays_usable(place):
    file = place / "file"
    with file.open("w+b", buffering=0) as opened:
        file.unlink()
        assert not file.exists()
        opened.write(b"still here")
        os.fchmod(opened.fileno(), 0o600)
        assert os.pread(opened.fileno(), 5, 0) == b"still"
        os.ftruncate(opened.fileno(), 3)
        found = os.fstat(opened.fileno())
        assert (found.st_nlink, found.st_size) == (0, 3)
        file.write_text("another")
        assert os.pread(opened.fileno(), 5, 0) == b"sti"


def test_what_is_unlinked_can_be_opened_anew(place: Path) -> None:
    path = place / "file"
    path.write_bytes(b"contents")
    with path.open("rb") as file:
        again = f"/proc/self/fd/{file.fileno()}"
        path.unlink()
        descriptor = os.open(again, os.O_RDONLY)
        refused(errno.ESTALE, os.open, again, os.O_RDWR)
    assert os.pread(descriptor, 100, 0) == b"contents"
    assert os.fstat(descriptor).st_nlink == 0
    os.close(descriptor)


def test_mapping(place):
    file = place / "file"
    file.write_bytes(bytes(10_000))
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 0) as mapped:
        mapped[5000:5005] = b"there"
        mapped.flush()
        assert os.pread(opened.fileno(), 5, 5000) == b"there"
    assert file.read_bytes()[5000:5005] == b"there"


def test_renaming(place):
    (place / "a").write_text("a")
    (place / "b").write_text("b")
    refused(errno.EEXIST, renameat2, place / "a", place / "b", RENAME_NOREPLACE)
    renameat2(place / "a", place / "c", RENAME_NOREPLACE)
    os.rename(place / "c", place / "b")
    assert (place / "b").read_text() == "a"
    (place / "d/e").mkdir(parents=True)
    (place / "d/e/f").write_text("f")
    refused(errno.EINVAL, os.rename, place / "d", place / "d/e/g")
    refused(errno.EISDIR, os.rename, place / "b", place / "d")
    refused(errno.ENOTDIR, os.rename, place / "d", place / "b")
    (place / "x").mkdir()
    refused(errno.ENOTEMPTY, os.rename, place / "x", place / "d")
    with (place / "d/e/f").open() as opened:
        os.rename(place / "d", place / "x")
        assert os.listdir(place / "x/e") == ["f"]
        assert opened.read() == "f"
        os.rename(place / "x/e/f", place / "f")
        assert os.fstat(opened.fileno()).st_nlink == 1
    os.rename(place / "x", place / "X")
    assert sorted(os.listdir(place)) == ["X", "b", "f"]


def test_removing(place):
    (place / "d/e").mkdir(parents=True)
    refused(errno.ENOTEMPTY, os.rmdir, place / "d")
    refused(errno.EISDIR, os.unlink, place / "d")
    (place / "file").touch()
    refused(errno.ENOTDIR, os.rmdir, place / "file")
    refused(errno.ENOENT, os.unlink, place / "nothing")
    os.unlink(place / "file")
    descriptor = os.open(place / "d/e", os.O_RDONLY)
    os.rmdir(place / "d/e")
    assert os.listdir(descriptor) == []
    os.close(descriptor)
    os.rmdir(place / "d")
    assert os.listdir(place) == []


def test_hard_links(place):
    first, second = place / "first", place / "second"
    first.write_text("contents")
    os.link(first, second)
    assert first.stat().st_ino == second.stat().st_ino
    assert second.stat().st_nlink == 2
    refused(errno.EEXIST, os.link, first, second)
    os.rename(first, second)  # two names of one file: both stay
    assert sorted(os.listdir(place)) == ["first", "second"]
    second.write_text("changed")
    first.unlink()
    assert second.read_text() == "changed"
    assert second.stat().st_nlink == 1
    refused(errno.EPERM, os.link, place, place / "directory")


def test_symbolic_links(place):
    for target in ("file", "../elsewhere", "/absolute", "x" * 200):
        link = place / "link"
        link.symlink_to(target)
        assert os.readlink(link) == target
        assert stat.S_ISLNK(link.lstat().st_mode)
        assert link.lstat().st_size == len(target)
        link.rename(place / "moved")
        (place / "moved").unlink()
    (place / "directory").mkdir()
    (place / "directory/file").write_text("contents")
    (place / "link").symlink_to("directory")
    assert (place / "link/file").read_text() == "contents"
    assert sorted(os.listdir(place / "link")) == ["file"]
    os.utime(place / "link", ns=(5, 7), follow_symlinks=False)
    assert (place / "link").lstat().st_mtime_ns == 7
    refused(errno.EEXIST, os.symlink, "x", place / "link")
    refused(errno.ELOOP, os.open, place / "link", os.O_RDONLY | os.O_NOFOLLOW)


def test_special_files(place):
    fifo = place / "fifo"
    os.mkfifo(fifo, 0o622)
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert not os.access(fifo, os.X_OK)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(fifo, os.O_WRONLY)
    os.write(writer, b"through the kernel")
    assert os.read(reader, 100) == b"through the kernel"
    os.close(reader)
    os.close(writer)
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(place, os.O_PATH)
        server.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
        server.listen()
        assert stat.S_ISSOCK((place / "socket").stat().st_mode)
    fifo.unlink()
    (place / "socket").unlink()


def test_names(place):
    names = ["a", "A", "ä", "with space", "tab\t", 'qu"o<te>s|?*:', "\\", "x" * 255, ".hidden", "…"]
    for name in names:
        (place / name).write_text(name)
    (Path(os.fsdecode(bytes(place) + b"/not \xff utf-8"))).touch()
    refused(errno.ENAMETOOLONG, (place / ("y" * 256)).touch)
    assert sorted(os.listdir(bytes(place))) == sorted([*(name.encode() for name in names), b"not \xff utf-8"])
    for name in names:
        assert (place / name).read_text() == name


def test_times_and_modes(place):
    file = place / "file"
    file.touch()
    os.utime(file, ns=(1_234_567_890_123_456_700, 987_654_321_987_654_300))
    found = file.stat()
    assert (found.st_atime_ns, found.st_mtime_ns) == (1_234_567_890_123_456_700, 987_654_321_987_654_300)
    file.chmod(0o4711)
    assert stat.S_IMODE(file.stat().st_mode) == 0o4711
    before = file.stat().st_ctime_ns
    file.chmod(0o600)
    assert file.stat().st_ctime_ns >= before


def test_extended_attributes(place):
    file = place / "file"
    file.touch()
    os.setxattr(file, "user.one", b"1")
    os.setxattr(file, "user.two", b"2" * 1000)
    assert sorted(os.listxattr(file)) == ["user.one", "user.two"]
    assert os.getxattr(file, "user.two") == b"2" * 1000
    os.removexattr(file, "user.one")
    refused(errno.ENODATA, os.getxattr, file, "user.one")
    refused(errno.ENODATA, os.removexattr, file, "user.one")
    refused(errno.EEXIST, os.setxattr, file, "user.two", b"", os.XATTR_CREATE)
    refused(errno.ENODATA, os.setxattr, file, "user.three", b"", os.XATTR_REPLACE)
    refused(errno.EOPNOTSUPP, os.setxattr, file, "trusted.x", b"")


def test_what_the_gateway_keeps_is_not_shown(mount):
    path = mount.path / "posix" / "private"
    path.touch()
    below = mount.server.shares["posix"] / "private"
    os.setxattr(below, "user.DOSATTRIB", b"x")
    os.setxattr(below, "user.visible", b"x")
    assert os.listxattr(path) == ["user.visible"]
    with pytest.raises(OSError, match=r"."):
        os.getxattr(path, "user.DOSATTRIB")
    with pytest.raises(OSError, match=r"."):
        os.setxattr(path, "user.NTACL", b"x")
    with pytest.raises(OSError, match=r"."):
        os.getxattr(path, "security.NTACL")


def test_large_directories(place):
    for number in range(1500):
        (place / f"file {number}").touch()
    with os.scandir(place) as entries:
        found = {entry.name: entry.stat().st_size for entry in entries}
    assert len(found) == 1500
    # Removing while listing, as rm -r does.
    with os.scandir(place) as entries:
        for entry in entries:
            os.unlink(entry.path)
    assert os.listdir(place) == []


def test_the_top(mount):
    assert sorted(os.listdir(mount.path)) == ["closed", "fixed", "memory", "posix"]
    assert mount.path.stat().st_mode & 0o777 == 0o555
    refused(errno.EPERM, (mount.path / "new").touch)
    refused(errno.EPERM, os.mkdir, mount.path / "new")
    refused(errno.EPERM, os.rmdir, mount.path / "posix")
    refused(errno.ENOENT, os.stat, mount.path / "nothing")
    (mount.path / "posix/crossing").touch()
    refused(errno.EXDEV, os.rename, mount.path / "posix/crossing", mount.path / "memory/crossing")
    refused(errno.EXDEV, os.link, mount.path / "posix/crossing", mount.path / "memory/crossing")
    assert os.statvfs(mount.path).f_blocks > 0


def test_a_share_that_is_read_only(mount):
    (mount.server.shares["fixed"] / "file").write_text("contents")
    file = mount.path / "fixed/file"
    assert file.read_text() == "contents"
    refused(errno.EROFS, file.write_text, "x")
    refused(errno.EROFS, (mount.path / "fixed/new").touch)
    refused(errno.EROFS, file.unlink)
    refused(errno.EROFS, file.chmod, 0o600)
    refused(errno.EROFS, os.truncate, file, 0)


@pytest.fixture
def public(place) -> Path:
    """The same for everybody."""
    let_all_get_to(place)
    place.chmod(0o777)
    return Path(place)


@needs(Need.ROOT)
def test_permissions(public):
    file = public / "file"
    file.write_text("contents")
    file.chmod(0o640)
    opened = ERROR.format("open(args[0]).read()")
    assert as_user(opened, file) == "EACCES"
    os.chown(file, -1, 4711)
    assert as_user(opened, file, gid=4711) == "done"
    assert as_user(opened, file, groups=(1, 4711)) == "done"
    assert as_user(ERROR.format("open(args[0], 'a')"), file, groups=(4711,)) == "EACCES"
    file.chmod(0o604)
    assert as_user(opened, file, groups=(4711,)) == "EACCES"
    assert as_user("print(os.access(args[0], os.R_OK))", file, uid=1234) == "True"
    assert as_user("print(os.access(args[0], os.W_OK))", file, uid=1234) == "False"


@needs(Need.ROOT)
def test_ownership(public):
    as_user("open(args[0], 'w').write('mine')", public / "mine")
    found = (public / "mine").stat()
    assert (found.st_uid, found.st_gid) == (NOBODY, NOBODY)
    assert as_user(ERROR.format("os.chmod(args[0], 0o600)"), public / "mine") == "done"
    assert as_user(ERROR.format("os.chown(args[0], 0, -1)"), public / "mine") == "EPERM"
    assert as_user(ERROR.format("os.chown(args[0], -1, 4711)"), public / "mine") == "EPERM"
    assert as_user(ERROR.format("os.chown(args[0], -1, 4711)"), public / "mine", groups=(4711,)) == "done"
    assert as_user(ERROR.format("os.chmod(args[0], 0o777)"), public / "mine", uid=1234) == "EPERM"
    assert as_user(ERROR.format("os.utime(args[0], (1, 1))"), public / "mine", uid=1234) == "EPERM"
    os.chown(public / "mine", 1234, 4711)
    assert (public / "mine").stat().st_uid == 1234
    as_user("os.mkdir(args[0])", public / "directory")
    assert (public / "directory").stat().st_uid == NOBODY


@needs(Need.ROOT)
def test_directories_bar_the_way(public):
    closed = public / "closed"
    closed.mkdir()
    (closed / "file").write_text("contents")
    (closed / "file").chmod(0o666)
    closed.chmod(0o700)
    os.listdir(closed)
    assert as_user(ERROR.format("open(args[0])"), closed / "file") == "EACCES"
    assert as_user(ERROR.format("os.listdir(args[0])"), closed) == "EACCES"
    assert as_user(ERROR.format("open(args[0], 'w')"), closed / "new") == "EACCES"
    closed.chmod(0o755)
    assert as_user(ERROR.format("open(args[0])"), closed / "file") == "done"
    assert as_user(ERROR.format("open(args[0], 'w')"), closed / "new") == "EACCES"
    assert as_user(ERROR.format("os.unlink(args[0])"), closed / "file") == "EACCES"
    assert as_user(ERROR.format("os.rename(args[0], args[1])"), closed / "file", public / "x") == "EACCES"
    assert (closed / "file").exists()


@needs(Need.ROOT)
def test_sticky_directories(public):
    public.chmod(0o1777)
    (public / "file").touch()
    (public / "file").chmod(0o666)
    assert as_user(ERROR.format("os.unlink(args[0])"), public / "file") in ("EPERM", "EACCES")
    assert as_user(ERROR.format("os.rename(args[0], args[0] + 'x')"), public / "file") in ("EPERM", "EACCES")
    as_user("open(args[0], 'w')", public / "own")
    assert as_user(ERROR.format("os.unlink(args[0])"), public / "own") == "done"


@needs(Need.ROOT)
def test_who_may_not_connect_does_not_get_in(mount):
    assert as_user(ERROR.format("os.listdir(args[0])"), mount.path / "closed") == "EACCES"
    assert os.listdir(mount.path / "closed") == []
