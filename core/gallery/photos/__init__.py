"""Originals and previews: a folder or an S3-compatible bucket behind one port.

port    what the gallery asks of a photo store
files   a folder
bucket  a bucket
cache   copies of a bucket's photos on this machine
"""
