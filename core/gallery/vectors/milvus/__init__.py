"""A Milvus server, kept in step with the database through an outbox."""
