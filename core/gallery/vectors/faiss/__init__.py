"""FAISS in memory, kept in step with the database.

store  FaissStore: loads what has changed
index  vectors by collection
flat   one collection, searched exactly
ivf    a large one, searched in part
gpu    exact search on a GPU
"""
