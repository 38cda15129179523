"""The retrieval service (M1): a photo to candidates; and the gallery, which only this service writes.

Whatever works on a whole collection is done here, by the service that holds it.

app                    the application
service                the running service: its parts, how they start, and what takes several of them
engine                 photos to candidates
dependencies           the parts that routes use
settings               its settings
routes/                what it answers
uploads/               photos and archives on their way into the gallery
background/            sample collection, check-ups, calibrations, usage, trash
replies/               values of core as models of the wire
vector_engine_metrics  metrics of Milvus
"""
