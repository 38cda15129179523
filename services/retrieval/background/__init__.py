"""Work beside the requests, one job per collection.

jobs          the jobs that are running
sample        the sample collection
checkups      checks of a collection
calibrations  calibrations of a collection
usage         keeps matches and feedback
"""
