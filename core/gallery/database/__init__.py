"""The rows of a gallery: SQLite or PostgreSQL behind one port."""
