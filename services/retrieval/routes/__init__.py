"""The routes of the retrieval service.

search       a photo to candidates
index        images and places
audio        recordings of places
collections  check-ups, matches, drift, calibration and places of a collection; creates, renames and deletes it
trash        lists, restores and empties the trash
feedback     matches and feedback
inbox        photos that visitors have sent, and what is decided about them
sample       the sample collection
"""
