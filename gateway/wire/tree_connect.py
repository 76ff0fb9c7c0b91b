"""TREE_CONNECT, with the extension of 3.1.1 ([MS-SMB2] 2.2.9, 2.2.10)."""

import struct
from typing import Final, Self

from gateway.wire.codec import BODY, Body, pad8, take, u8, u16, u32, utf16, utf16_bytes, wire
from gateway.wire.contexts import TypedContext, pack_contexts, parse_contexts

__all__ = [
    "SMB2_SHAREFLAG_ACCESS_BASED_DIRECTORY_ENUM",
    "SMB2_SHAREFLAG_ALLOW_NAMESPACE_CACHING",
    "SMB2_SHAREFLAG_AUTO_CACHING",
    "SMB2_SHAREFLAG_COMPRESS_DATA",
    "SMB2_SHAREFLAG_DFS",
    "SMB2_SHAREFLAG_DFS_ROOT",
    "SMB2_SHAREFLAG_ENABLE_HASH_V1",
    "SMB2_SHAREFLAG_ENABLE_HASH_V2",
    "SMB2_SHAREFLAG_ENCRYPT_DATA",
    "SMB2_SHAREFLAG_FORCE_LEVELII_OPLOCK",
    "SMB2_SHAREFLAG_FORCE_SHARED_DELETE",
    "SMB2_SHAREFLAG_IDENTITY_REMOTING",
    "SMB2_SHAREFLAG_ISOLATED_TRANSPORT",
    "SMB2_SHAREFLAG_MANUAL_CACHING",
    "SMB2_SHAREFLAG_NO_CACHING",
    "SMB2_SHAREFLAG_RESTRICT_EXCLUSIVE_OPENS",
    "SMB2_SHAREFLAG_VDO_CACHING",
    "SMB2_SHARE_CAP_ASYMMETRIC",
    "SMB2_SHARE_CAP_CLUSTER",
    "SMB2_SHARE_CAP_CONTINUOUS_AVAILABILITY",
    "SMB2_SHARE_CAP_DFS",
    "SMB2_SHARE_CAP_REDIRECT_TO_OWNER",
    "SMB2_SHARE_CAP_SCALEOUT",
    "SMB2_SHARE_TYPE_DISK",
    "SMB2_SHARE_TYPE_PIPE",
    "SMB2_SHARE_TYPE_PRINT",
    "SMB2_TREE_CONNECT_FLAG_CLUSTER_RECONNECT",
    "SMB2_TREE_CONNECT_FLAG_EXTENSION_PRESENT",
    "SMB2_TREE_CONNECT_FLAG_REDIRECT_TO_OWNER",
    "TreeConnectRequest",
    "TreeConnectResponse",
]

SMB2_TREE_CONNECT_FLAG_CLUSTER_RECONNECT: Final = 0x0001
SMB2_TREE_CONNECT_FLAG_REDIRECT_TO_OWNER: Final = 0x0002
SMB2_TREE_CONNECT_FLAG_EXTENSION_PRESENT: Final = 0x0004

SMB2_SHARE_TYPE_DISK: Final = 0x01
SMB2_SHARE_TYPE_PIPE: Final = 0x02
SMB2_SHARE_TYPE_PRINT: Final = 0x03

SMB2_SHAREFLAG_MANUAL_CACHING: Final = 0x00000000
SMB2_SHAREFLAG_AUTO_CACHING: Final = 0x00000010
SMB2_SHAREFLAG_VDO_CACHING: Final = 0x00000020
SMB2_SHAREFLAG_NO_CACHING: Final = 0x00000030
SMB2_SHAREFLAG_DFS: Final = 0x00000001
SMB2_SHAREFLAG_DFS_ROOT: Final = 0x00000002
SMB2_SHAREFLAG_RESTRICT_EXCLUSIVE_OPENS: Final = 0x00000100
SMB2_SHAREFLAG_FORCE_SHARED_DELETE: Final = 0x00000200
SMB2_SHAREFLAG_ALLOW_NAMESPACE_CACHING: Final = 0x00000400
SMB2_SHAREFLAG_ACCESS_BASED_DIRECTORY_ENUM: Final = 0x00000800
SMB2_SHAREFLAG_FORCE_LEVELII_OPLOCK: Final = 0x00001000
SMB2_SHAREFLAG_ENABLE_HASH_V1: Final = 0x00002000
SMB2_SHAREFLAG_ENABLE_HASH_V2: Final = 0x00004000
SMB2_SHAREFLAG_ENCRYPT_DATA: Final = 0x00008000
SMB2_SHAREFLAG_IDENTITY_REMOTING: Final = 0x00040000
SMB2_SHAREFLAG_COMPRESS_DATA: Final = 0x00100000
SMB2_SHAREFLAG_ISOLATED_TRANSPORT: Final = 0x00200000

SMB2_SHARE_CAP_DFS: Final = 0x00000008
SMB2_SHARE_CAP_CONTINUOUS_AVAILABILITY: Final = 0x00000010
SMB2_SHARE_CAP_SCALEOUT: Final = 0x00000020
SMB2_SHARE_CAP_CLUSTER: Final = 0x00000040
SMB2_SHARE_CAP_ASYMMETRIC: Final = 0x00000080
SMB2_SHARE_CAP_REDIRECT_TO_OWNER: Final = 0x00000100

_EXTENSION = struct.Struct("<IH10s")


@wire
class TreeConnectRequest(Body):
    """[MS-SMB2] 2.2.9; SMB2_TREE_CONNECT_FLAG_EXTENSION_PRESENT says that contexts follow (2.2.9.1)."""

    structure_size: u16 = 9
    flags: u16 = 0
    path_offset: u16 = 0
    path_length: u16 = 0
    path: str = ""
    contexts: tuple[TypedContext, ...] = ()

    @classmethod
    def parse(cls, message: memoryview) -> Self:
        """[MS-SMB2] 2.2.9; raises `WireError`."""
        self = cls.unpack_from(message, BODY)
        end = cls.END
        if self.flags & SMB2_TREE_CONNECT_FLAG_EXTENSION_PRESENT:
            # The contexts count from the body, unlike every other offset, path_offset included.
            offset, count, _reserved = _EXTENSION.unpack(take(message, end, _EXTENSION.size))
            end += _EXTENSION.size
            self.contexts = parse_contexts(message, BODY + offset, count, at_least=end)
        self.path = utf16(take(message, self.path_offset, self.path_length, at_least=end))
        return self

    def to_bytes(self) -> bytes:
        """The body, with its offsets and lengths filled in; contexts bring the extension with them."""
        path = utf16_bytes(self.path)
        self.path_offset = self.END
        self.path_length = len(path)
        if not self.contexts:
            self.flags &= ~SMB2_TREE_CONNECT_FLAG_EXTENSION_PRESENT
            return self.pack() + path
        self.flags |= SMB2_TREE_CONNECT_FLAG_EXTENSION_PRESENT
        self.path_offset += _EXTENSION.size
        path += pad8(self.path_offset + len(path))
        extension = _EXTENSION.pack(self.path_offset + len(path) - BODY, len(self.contexts), bytes(10))
        return self.pack() + extension + path + pack_contexts(self.contexts)


@wire
class TreeConnectResponse(Body):
    """[MS-SMB2] 2.2.10."""

    structure_size: u16 = 16
    share_type: u8 = SMB2_SHARE_TYPE_DISK
    reserved: u8 = 0
    share_flags: u32 = 0
    capabilities: u32 = 0
    maximal_access: u32 = 0
