"""The verifier service (M3): a photo and its candidates in, ranked verdicts out. It only reads the gallery.

app             the service
routes          what it answers
engine          photos through a verifier, as many at once as it takes
readability     counts pairs without a verdict
reasons         a model's own reasons for one verdict
gallery_access  the gallery, read-only, opened when it is needed
settings        its settings
server_metrics  metrics of the servers behind a verifier
"""
