"""A Milvus server, kept in step with the database through an outbox.

store           MilvusStore: searches Milvus and the pending vectors
outbox          SQL on the changes that Milvus may not show yet
pending         an exact search of their vectors
sync            the thread that delivers them
reconciliation  compares Milvus with the database, and repairs it
collection      requests to one collection of the server
connection      its options, and one connection
"""
