"""Sockets: listening, and getting bytes out."""
