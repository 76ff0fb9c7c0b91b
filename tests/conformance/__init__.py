"""smbtorture against this server, test by test, compared with what is expected (`scripts/conformance`)."""
