"""Reads uploads and adds their photos to the gallery.

submissions  the photos of an upload, before they are read
forms        the files of a form: photos, archives, manifests
archives     ZIP archives
corrections  the texts of a manifest that is sent again
indexing     encodes and adds them
quality      which of the added photos should be taken again
"""
