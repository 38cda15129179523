"""The retrieval service (M1): a photo to candidates; and the gallery, which only this service writes.

app                    the service
engine                 photos to candidates
dependencies           the parts that routes use
settings               its settings
routes/                what it answers
uploads/               photos and archives on their way into the gallery
background/            sample collection, check-ups, calibrations, usage
replies/               values of core as models of the wire
calibration_jobs       calibrations that a gateway runs
vector_engine_metrics  metrics of Milvus
"""
