"""The public routes.

match              POST /match
session            signing in and out
forwarding         forwards a request to the retrieval service
index              images and places
collections        collections
whole_collections  renaming and deleting a collection
calibration        calibrations
feedback           feedback on an answer
sample             the sample collection
"""
