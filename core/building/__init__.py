"""Filling a gallery.

indexing       encodes photos and adds them
labels         places and names from folders and manifests
merging        joins galleries into one
reembedding    computes all vectors anew with another encoder
work_shards    deals the files of a folder out to several processes
sample_photos  the sample collection of a first start
"""
