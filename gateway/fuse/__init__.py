"""The FUSE front end: the shares as directories of one mount, through the same store as SMB.

A program's open takes share modes, breaks leases and oplocks, and meets a deletion that is pending, as any other open
does; who may do what is decided by the same access check. See fuse(4).
"""
