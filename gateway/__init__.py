"""smbgate: an SMB3 file server."""
