"""smbclient's everyday commands."""

import re

import pytest

from tests.interop.servers import Configuration
from tests.interop.smbclient import DIALECTS, smbclient

CONFIGURATION = Configuration(
    {"server min protocol": "SMB2_02"},
    {"share": {"comment": "a share, described"}, "hidden": {"browseable": "no"}, "fixed": {"read only": "yes"}},
)

pytestmark = pytest.mark.usefixtures("clean")


@pytest.fixture
def files(share_path):
    """A few files and directories, made behind the server's back."""
    (share_path / "a directory").mkdir()
    (share_path / "a directory" / "inner.txt").write_bytes(b"inner")
    for name, size in {"one.txt": 1, "two.txt": 2, "three.dat": 3, "Grüße.TXT": 1000, "noextension": 0}.items():
        (share_path / name).write_bytes(b"x" * size)
    return share_path


def listed(output: str) -> dict[str, tuple[str, int]]:
    """What `ls` printed: by name, attributes and size."""
    entry = re.compile(r"^  (?P<name>.+?) +(?P<attributes>[A-Zn]+) +(?P<size>\d+)  \w{3} \w{3} .+$", re.MULTILINE)
    return {found["name"]: (found["attributes"], int(found["size"])) for found in entry.finditer(output)}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_shares_are_listed(server, dialect) -> None:
    output = smbclient(server, share=None, dialect=dialect, options=("-g",))
    assert "Disk|share|a share, described" in output
    assert "Disk|fixed|" in output
    assert "IPC|IPC$|" in output
    assert "hidden" not in output


def test_a_hidden_share_can_be_connected(server) -> None:
    smbclient(server, "ls", share="HIDDEN")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_ls(server, files, dialect) -> None:
    entries = listed(smbclient(server, "ls", dialect=dialect))
    assert entries.keys() == {".", "..", "a directory", "one.txt", "two.txt", "three.dat", "Grüße.TXT", "noextension"}
    assert "D" in entries["a directory"][0]
    assert "D" not in entries["one.txt"][0]
    assert entries["Grüße.TXT"][1] == 1000


@pytest.mark.parametrize(
    ("mask", "names"),
    [
        ("*.txt", {"one.txt", "two.txt", "Grüße.TXT"}),
        ("*.TXT", {"one.txt", "two.txt", "Grüße.TXT"}),
        ("t*", {"two.txt", "three.dat"}),
        ("???.txt", {"one.txt", "two.txt"}),
        ("one.txt", {"one.txt"}),
        ("GRÜSSE.txt", set()),
        ("grüße.*", {"Grüße.TXT"}),
        ("*e*", {"one.txt", "three.dat", "Grüße.TXT", "noextension", "a directory"}),
        ('"a directory\\*"', {".", "..", "inner.txt"}),
        ("nothing*", set()),
    ],
)
def test_masks(server, files, mask, names) -> None:
    output = smbclient(server, f"ls {mask}", check=bool(names))
    assert listed(output).keys() == names
    if not names:
        assert "NT_STATUS_NO_SUCH_FILE" in output


def test_a_recursive_listing(server, files) -> None:
    output = smbclient(server, "recurse", "ls")
    assert "inner.txt" in output
    assert "\\a directory" in output


def test_files_and_directories_are_made_renamed_and_deleted(server, share_path) -> None:
    def names() -> set[str]:
        return {str(path.relative_to(share_path)) for path in share_path.rglob("*")}

    smbclient(server, 'mkdir "neu & schön"', 'mkdir "neu & schön\\inner"')
    assert names() == {"neu & schön", "neu & schön/inner"}
    (share_path / "one.txt").write_text("1")
    smbclient(server, 'rename one.txt "neu & schön\\eins.txt"', 'rename "neu & schön\\inner" moved')
    assert names() == {"neu & schön", "neu & schön/eins.txt", "moved"}
    smbclient(server, "rename moved MOVED")
    assert "MOVED" in names()
    smbclient(server, 'del "neu & schön\\EINS.txt"', "rmdir moved", 'rmdir "neu & schön"')
    assert names() == set()


def test_what_may_not_be_done(server, files) -> None:
    for command, status in [
        ('rmdir "a directory"', "NT_STATUS_DIRECTORY_NOT_EMPTY"),
        ('mkdir "a directory"', "NT_STATUS_OBJECT_NAME_COLLISION"),
        ("rename one.txt two.txt", "NT_STATUS_OBJECT_NAME_COLLISION"),
        ("rename nothing.txt two.txt", "NT_STATUS_OBJECT_NAME_NOT_FOUND"),
        ("rename one.txt missing\\one.txt", "NT_STATUS_OBJECT_PATH_NOT_FOUND"),
        ("get nothing -", "NT_STATUS_OBJECT_NAME_NOT_FOUND"),
        ("get missing\\x -", "NT_STATUS_OBJECT_PATH_NOT_FOUND"),
        ("cd one.txt", "NT_STATUS_NOT_A_DIRECTORY"),
        ("del nothing", "NT_STATUS_NO_SUCH_FILE"),
    ]:
        assert status in smbclient(server, command, check=False), command
    assert (files / "two.txt").read_bytes() == b"xx"


def test_a_mask_of_files_is_deleted(server, files) -> None:
    smbclient(server, "del *.txt")
    assert {path.name for path in files.iterdir()} == {"a directory", "three.dat", "noextension"}
    smbclient(server, 'deltree "a directory"')
    assert {path.name for path in files.iterdir()} == {"three.dat", "noextension"}


def test_allinfo(server, files) -> None:
    output = smbclient(server, "allinfo Grüße.TXT")
    for line in ("create_time:", "access_time:", "write_time:", "change_time:", "attributes:"):
        assert line in output
    assert "stream: [::$DATA], 1000 bytes" in output
    assert "attributes: D" in smbclient(server, 'allinfo "a directory"')


def test_du(server, files) -> None:
    output = smbclient(server, "du")
    assert re.search(r"\d+ blocks of size \d+\. \d+ blocks available", output)
    assert "Total number of bytes: 1006" in output


def test_attributes_are_set(server, files) -> None:
    smbclient(server, "setmode one.txt +rh")
    attributes, _ = listed(smbclient(server, "ls one.txt"))["one.txt"]
    assert {"R", "H"} <= set(attributes)
    smbclient(server, "setmode one.txt -rh")
    attributes, _ = listed(smbclient(server, "ls one.txt"))["one.txt"]
    assert not {"R", "H"} & set(attributes)


def test_times_are_set(server, files) -> None:
    smbclient(server, "utimes one.txt -1 -1 2001:02:03-04:05:06 -1")
    assert re.search(r"write_time: .*2001", smbclient(server, "allinfo one.txt"))
    assert int((files / "one.txt").stat().st_mtime) in range(981_173_106, 981_173_107)


def test_a_download_is_resumed(server, share_path, tmp_path) -> None:
    (share_path / "whole").write_bytes(b"0123456789" * 2000)
    (tmp_path / "whole").write_bytes(b"0123456789" * 500)
    smbclient(server, "reget whole", cwd=tmp_path)
    assert (tmp_path / "whole").read_bytes() == b"0123456789" * 2000


def test_a_share_that_is_read_only(server, tmp_path) -> None:
    (server.shares["fixed"] / "there").write_bytes(b"there")
    (tmp_path / "new").write_bytes(b"new")
    smbclient(server, "get there", share="fixed", cwd=tmp_path)
    assert (tmp_path / "there").read_bytes() == b"there"
    for command in ("put new", "put new there", "del there", "mkdir d", "rename there elsewhere"):
        output = smbclient(server, command, share="fixed", cwd=tmp_path, check=False)
        assert re.search(r"NT_STATUS_(ACCESS_DENIED|MEDIA_WRITE_PROTECTED)", output), command
    assert [path.name for path in server.shares["fixed"].iterdir()] == ["there"]
