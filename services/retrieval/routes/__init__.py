"""What the retrieval service answers.

search             a photo to candidates
index              images and places
collections        check-ups, matches and drift of a collection
whole_collections  renaming and deleting a collection
calibration        calibrations and their jobs
feedback           matches and feedback
sample             the sample collection
"""
