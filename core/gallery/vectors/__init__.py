"""Nearest-neighbour search over the gallery's embeddings: FAISS or Milvus behind one port."""
