"""Tiny random models with the classes and file layout of published models, for tests and for trying the GPU backends.

Their answers are meaningless. They test loading, preprocessing, shapes and numerics: ``from_pretrained`` reads such a
folder like a published model's.
"""
