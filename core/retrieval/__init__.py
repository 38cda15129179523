"""An embedding to ranked candidates.

retriever        similarity, the local test and further looks at unclear photos
second_features  ALIKED, for photos that remain unclear
exclusion        a gallery without some images, for calibrations
"""
