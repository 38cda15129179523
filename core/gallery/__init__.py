"""The durable reference images and their vectors; the literature calls it the database.

gallery       Gallery: search, list, add, change, delete
values        what goes in and comes out
validation    what can be stored
branding      how a collection presents its museum, as values
opening       checks before use, and what a writer prepares
storage       which database, photo store and vector store are used
orphans       photos that belong to no image
trash         deletes so that it can be undone
deletions     what the trash holds, as values
texts         texts of places in further languages
recordings    what visitors listen to
audio         kinds of recordings, by their bytes
languages     language tags, and which text a reader gets
tags          the states of places and images, for conditional changes
database/     rows: SQLite or PostgreSQL
photos/       originals and previews: a folder or a bucket
vectors/      nearest neighbours: FAISS or Milvus
maintenance/  backups, and another encoder's vectors
"""

from core.gallery.gallery import Gallery
from core.gallery.storage import DATABASE_NAME, Storage
from core.gallery.values import (
    DEFAULT_COLLECTION,
    UNCHANGED,
    AddResult,
    CollectionSummary,
    ImageChange,
    ImagePage,
    NewImage,
    PlacePage,
    PlaceSummary,
)

__all__ = [
    "DATABASE_NAME",
    "DEFAULT_COLLECTION",
    "UNCHANGED",
    "AddResult",
    "CollectionSummary",
    "Gallery",
    "ImageChange",
    "ImagePage",
    "NewImage",
    "PlacePage",
    "PlaceSummary",
    "Storage",
]
