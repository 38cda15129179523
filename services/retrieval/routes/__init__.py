"""What the retrieval service answers.

search       a photo to candidates
index        images and places
collections  check-ups, matches, drift, calibration and places of a collection; its name and its end
trash        what can be restored
feedback     matches and feedback
sample       the sample collection
"""
