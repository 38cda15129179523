"""Originals and previews: a folder or an S3-compatible bucket behind one port."""
