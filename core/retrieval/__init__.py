"""An embedding to ranked candidates.

retriever  similarity, the local test and further looks at unclear photos
exclusion  a gallery without some images, for calibrations
"""
