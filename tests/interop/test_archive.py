"""A file that is written to again after it was saved, as smbprotocol sees it."""

from smbprotocol.file_info import FileBasicInformation, InfoType
from smbprotocol.open import (
    CreateDisposition,
    FileAttributes,
    FilePipePrinterAccessMask,
    ImpersonationLevel,
    Open,
    ShareAccess,
    SMB2SetInfoRequest,
)
from smbprotocol.tree import TreeConnect

from tests.interop.servers import Server
from tests.interop.smbprotocol_peer import HOST, smbprotocol_peer


def opened(tree: TreeConnect, disposition: int = CreateDisposition.FILE_OPEN) -> Open:
    one = Open(tree, "saved")
    access = FilePipePrinterAccessMask.GENERIC_READ | FilePipePrinterAccessMask.GENERIC_WRITE
    everything = ShareAccess.FILE_SHARE_READ | ShareAccess.FILE_SHARE_WRITE
    one.create(ImpersonationLevel.Impersonation, access, 0, everything, disposition, 0)
    return one


def set_attributes(one: Open, attributes: int) -> None:
    information = FileBasicInformation()
    information["file_attributes"] = attributes
    for time in ("creation_time", "last_access_time", "last_write_time", "change_time"):
        information[time] = 0
    request = SMB2SetInfoRequest()
    request["info_type"] = InfoType.SMB2_0_INFO_FILE
    request["file_info_class"] = FileBasicInformation.INFO_CLASS
    request["file_id"] = one.file_id
    request["buffer"] = information
    tree = one.tree_connect
    connection = tree.session.connection
    connection.receive(connection.send(request, tree.session.session_id, tree.tree_connect_id))


def test_writing_marks_it_again(server: Server) -> None:
    with smbprotocol_peer(server) as peer:
        tree = TreeConnect(peer.session, rf"\\{HOST}\share")
        tree.connect()
        one = opened(tree, CreateDisposition.FILE_CREATE)
        for expected in (FileAttributes.FILE_ATTRIBUTE_ARCHIVE, FileAttributes.FILE_ATTRIBUTE_NORMAL):
            one.close()
            one = opened(tree)
            assert one.file_attributes == expected
            set_attributes(one, FileAttributes.FILE_ATTRIBUTE_NORMAL)
        one.close()
        one = opened(tree)
        one.write(b"data")
        one.close()
        one = opened(tree)
        assert one.file_attributes == FileAttributes.FILE_ATTRIBUTE_ARCHIVE
        one.close()
