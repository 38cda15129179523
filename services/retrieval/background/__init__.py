"""Work beside the requests, one job per collection.

jobs              the jobs that are running, at all replicas
sample            the sample collection
checkups          checks of a collection
calibrations      calibrations on record
calibration_jobs  calibrations being made
calibration_run   the measurement of one
usage             keeps matches and feedback
trash             deletes, undoes, and empties the trash after its time
"""
