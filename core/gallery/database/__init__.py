"""The rows of a gallery: SQLite or PostgreSQL behind one port.

port          what the gallery asks of a database
sqlite        one file
postgres      one schema, for several machines
migrations    the schema, version by version
manifest      the gallery's id, its encoder and the count of changes
images        SQL on images
places        SQL on places
corrections   texts and recordings of a manifest, in place of stored ones
recordings    SQL on the recordings of places
collections   SQL on collections
embeddings    SQL on embeddings and local features
verifier_features  SQL on features of a second extractor
calibrations  SQL on calibrations
brandings     SQL on brandings
trash         SQL on deletions
pages         cursors
group_commit  one transaction for the calls of several threads
"""
