"""Work in the background, one job per collection.

jobs              the jobs of all replicas
sample            builds the sample collection
checkups          checks collections
calibrations      stored calibrations
calibration_jobs  running calibrations
calibration_run   the measurement of one calibration
usage             stores matches and feedback
verifier_features  makes the features by which unclear photos are compared once more
webhooks          sends events to the operator's webhook
collection_watch  notices every day what has become worse
inbox             takes visitors' photos, and carries out what a curator decides about them
trash             deletes, restores, and empties the trash of expired entries
"""
