"""How long the extended attributes of files are, as listings and the files themselves tell it to smbprotocol."""

import struct

import pytest
from smbprotocol.file_info import FileInformationClass, InfoType
from smbprotocol.open import (
    CreateDisposition,
    CreateOptions,
    FilePipePrinterAccessMask,
    ImpersonationLevel,
    Open,
    ShareAccess,
    SMB2QueryInfoRequest,
    SMB2QueryInfoResponse,
    SMB2SetInfoRequest,
)
from smbprotocol.tree import TreeConnect

from tests.interop.servers import Server
from tests.interop.smbprotocol_peer import HOST, Peer, smbprotocol_peer

FULL_EA_INFORMATION, EA_INFORMATION = 15, 7
CLASSES = (
    FileInformationClass.FILE_FULL_DIRECTORY_INFORMATION,
    FileInformationClass.FILE_BOTH_DIRECTORY_INFORMATION,
    FileInformationClass.FILE_ID_FULL_DIRECTORY_INFORMATION,
    FileInformationClass.FILE_ID_BOTH_DIRECTORY_INFORMATION,
)


def opened(tree: TreeConnect, name: str, disposition: int, options: int = 0) -> Open:
    one = Open(tree, name)
    one.create(
        ImpersonationLevel.Impersonation,
        FilePipePrinterAccessMask.MAXIMUM_ALLOWED,
        0,
        ShareAccess.FILE_SHARE_READ | ShareAccess.FILE_SHARE_WRITE,
        disposition,
        options,
    )
    return one


def set_attribute(peer: Peer, tree: TreeConnect, one: Open, name: bytes, value: bytes) -> None:
    request = SMB2SetInfoRequest()
    request["info_type"] = InfoType.SMB2_0_INFO_FILE
    request["file_info_class"] = FULL_EA_INFORMATION
    request["file_id"] = one.file_id
    request["buffer"] = struct.pack("<IBBH", 0, 0, len(name), len(value)) + name + b"\0" + value
    sent = peer.connection.send(request, peer.session.session_id, tree.tree_connect_id)
    peer.connection.receive(sent)


def told(peer: Peer, tree: TreeConnect, one: Open) -> int:
    request = SMB2QueryInfoRequest()
    request["info_type"] = InfoType.SMB2_0_INFO_FILE
    request["file_info_class"] = EA_INFORMATION
    request["output_buffer_length"] = 4
    request["file_id"] = one.file_id
    sent = peer.connection.send(request, peer.session.session_id, tree.tree_connect_id)
    response = SMB2QueryInfoResponse()
    response.unpack(peer.connection.receive(sent)["data"].get_value())
    return int.from_bytes(response["buffer"].get_value(), "little")


@pytest.mark.parametrize("info_class", CLASSES)
def test_a_listing_says_what_the_files_say(server: Server, info_class: int) -> None:
    with smbprotocol_peer(server) as peer:
        tree = TreeConnect(peer.session, rf"\\{HOST}\share")
        tree.connect()
        top = f"listed-{info_class}"
        directory = opened(tree, top, CreateDisposition.FILE_CREATE, CreateOptions.FILE_DIRECTORY_FILE)
        files = {name: opened(tree, rf"{top}\{name}", CreateDisposition.FILE_CREATE) for name in ("none", "one", "two")}
        set_attribute(peer, tree, files["one"], b"ONE", b"first")
        set_attribute(peer, tree, files["two"], b"ONE", b"first")
        set_attribute(peer, tree, files["two"], b"TWO", b"second")
        expected = {name: told(peer, tree, one) for name, one in files.items()}
        assert 0 == expected["none"] < expected["one"] < expected["two"]  # servers differ in what a second one adds
        entries = directory.query_directory("*", info_class)
        names = {entry["file_name"].get_value().decode("utf-16-le"): entry["ea_size"].get_value() for entry in entries}
        assert {name: size for name, size in names.items() if name not in (".", "..")} == expected
        for one in (directory, *files.values()):
            one.close()
