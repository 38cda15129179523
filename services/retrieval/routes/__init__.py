"""What the retrieval service answers.

search       a photo to candidates
index        images and places
collections  check-ups, matches, drift and calibration of a collection; its name and its end
feedback     matches and feedback
sample       the sample collection
"""
