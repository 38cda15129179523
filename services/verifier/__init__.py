"""The verifier service (M3): a photo and its candidates in, ranked verdicts out. It only reads the gallery.

app             the service
routes          its routes
engine          runs the verifier on photos, as many at once as it accepts
pairs           asks it about the candidates of one photo
photos          the visitor's photo as verifiers take it
readability     counts pairs without a verdict
reasons         a model's own reasons for one verdict
gallery_access  the gallery, read-only, opened at its first use
settings        its settings
server_metrics  metrics of the servers behind a verifier
"""
