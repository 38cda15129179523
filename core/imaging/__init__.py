"""Bytes of a photo to upright RGB pixels, and back.

decoding          the whole way from bytes to pixels
copies            small copies of photos, as bytes: previews, and what one model passes to another
headers           what the bytes say before decoding: format, size, number of scans
contrast          colours that can be read
budget            how many pixels all threads may decode at once
orientation       which way up a photo is
repairs           pictures that are whole in files that are not
metadata          removes position, camera and comments from a file
signature         what tells copies of one photo from other photos
isobmff_metadata  the same for HEIC and AVIF
sources           photos as paths, bytes, opened pictures or arrays
"""
