"""An embedding to ranked candidates.

retriever        similarity, the local test and further looks at unclear photos
looks            those further looks, and when they are taken
shortlist        the candidates of a photo, and what the local tests say of them
second_features  ALIKED, for photos that the first look leaves unclear
exclusion        a gallery without some images, for calibrations
"""
