"""Filling a gallery.

indexing        encodes photos and adds them
described_parts  what of a photo is encoded, and how that becomes one description
labels          a folder of photos on disk, and what they show
upload_plan     what becomes of the files of a folder or an archive: one rule for all ways in
grouping        which photos show the same exhibit, by folders and names
manifests       CSV files that say what photos show
manifest_rows   one row of a manifest, and the place that it describes
marks           cells that say yes or no
spreadsheets    cells of CSV files that spreadsheet programs open
export          the places of a collection as a manifest, or as an archive with one
manifest_texts  columns of manifests in further languages
corrections     changed texts and recordings of places in a manifest
recordings      recordings in folders and archives
file_names      names as systems write them: encodings, clutter, spellings
text_encodings  which encoding bytes of unknown origin are in
vocabulary      the words and letters of vocabulary.toml
merging         joins galleries into one
reembedding     computes all vectors with another encoder
work_shards     deals the files of a folder out to several processes
verifier_features  features of a second extractor, made after the photos can be found
sample_photos   the sample collection of a first start
"""
