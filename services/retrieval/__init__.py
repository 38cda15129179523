"""The retrieval service (M1): a photo in, candidates out; and the gallery behind it, which only this service writes."""
