"""What visitors asked and what they were answered: numbers, never photos.

records         the values: one match, what somebody said of its answer
usage_log       keeps them, for as long as the operator allows
jobs            work in the background that every replica can tell of
usage_database  of both, beside the gallery's
match_rows      tables of the one, and job_rows of the other
calibrated      what it is measured against, where a collection was calibrated with labelled photos
drift           week by week: is more refused than before, have the scores moved, how many answers were right
"""

from core.journal.jobs import Job, Jobs
from core.journal.records import FeedbackVerdict, GivenFeedback, MatchRecord, QueryFeatures, Retention, StoredMatch
from core.journal.usage_database import UsageDatabase
from core.journal.usage_log import UsageLog

__all__ = [
    "FeedbackVerdict",
    "GivenFeedback",
    "Job",
    "Jobs",
    "MatchRecord",
    "QueryFeatures",
    "Retention",
    "StoredMatch",
    "UsageDatabase",
    "UsageLog",
]
