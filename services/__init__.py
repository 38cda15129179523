"""The two services: core behind HTTP. They do not know each other.

retrieval/        M1: a photo to candidates, and the gallery
verifier/         M3: a photo and its candidates to ranked verdicts
device_metrics    metrics of the device that a model runs on
errors            core's errors as HTTP answers
gallery_settings  where the gallery is kept, for both
lost_device       ends a process whose device has failed
readiness         why a service is not ready
memory_trimming   returns freed memory to the system from time to time
"""
