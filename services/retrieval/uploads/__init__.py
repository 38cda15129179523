"""Photos and archives on their way into the gallery.

submissions  what was sent, file by file
forms        the files of a form: loose ones, archives, manifests
archives     ZIP archives
corrections  the texts of a manifest that is sent again
indexing     encodes and adds them
"""
