"""Tiny random models with the real classes and the real file layout, for tests and for trying the GPU path.

Their answers mean nothing. What they prove is that loading, preprocessing, shapes and numerics are right: a folder
written here is read by ``from_pretrained`` exactly as a published model's is.
"""
