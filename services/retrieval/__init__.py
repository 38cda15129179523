"""The retrieval service (M1): a photo to candidates; and the gallery, which only this service writes.

All work on whole collections is done here, by the service that holds them.

app                    the application
service                the running service: its parts, how they start, and operations that need several of them
engine                 photos to candidates
dependencies           the parts that routes use
allowed                the collections that a caller may use
settings               its settings
routes/                its routes
repeated_writes        writes with an Idempotency-Key, done once
uploads/               reads uploads and adds their photos to the gallery
background/            sample collection, check-ups, calibrations, usage, trash
replies/               translates values of core to models of contracts
vector_engine_metrics  metrics of Milvus
"""
