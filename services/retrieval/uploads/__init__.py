"""Photos and archives on their way into the gallery.

submissions  what was sent, file by file
archives     ZIP archives
indexing     encodes and adds them
"""
