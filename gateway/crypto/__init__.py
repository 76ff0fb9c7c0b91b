"""Keys, signatures and sealing of SMB2 messages ([MS-SMB2] 3.1.4). No I/O, no clock."""
