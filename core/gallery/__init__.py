"""The durable reference images and their vectors; what the literature calls the database.

gallery         Gallery: add, change, delete; opening and closing
reader          GalleryReader: search, list, get; the half that changes nothing
entries         what goes in and comes out
opening         what must hold before use, and what a writer puts in order
migrations      the schema, version by version
storage         which of the following are used
sql             what is asked of a database
sqlite_database SQLite connections and what their failures mean
postgres_database  a schema in PostgreSQL
postgres_failures  what that can answer instead of rows
manifest        the encoder on record and the count of changes
image_rows      SQL on images
place_rows      SQL on places and collections
vector_rows     SQL on embeddings and local features
pages           cursors
photo_store     what is asked of a store of photos
files           originals and previews on disk
bucket          originals and previews in an S3-compatible bucket
photo_cache     copies of those on this machine
leftovers       photos of no image
vector_store    what is asked of a store of vectors
vector_index    FAISS in memory, by collection
shards          one collection there, searched exactly
ivf             a large one there, searched in part
index_follower  the vector store that keeps such an index in step with the database
milvus_store    the vector store that is a Milvus server, led after the database by:
outbox          SQL on what the server may not show yet
unsettled       a search of just that
milvus_settling the thread that delivers it
reconciliation  comparing the server with the database, and repairing it
milvus_collection, milvus_connection  what is asked of the server
backup          copies of a gallery in use, and restoring them
shadow          another encoder's vectors, gathered beside a gallery in use
switching       from one encoder's database to another's, and back
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
