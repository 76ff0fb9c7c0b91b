"""What becomes of the costs as work grows: more names, more connections, slower storage, larger messages."""
