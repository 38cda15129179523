"""Nearest-neighbour search over the gallery's embeddings: FAISS or Milvus behind one port.

port     what the gallery asks of a vector store
faiss/   in this process's memory
milvus/  on a Milvus server
"""
