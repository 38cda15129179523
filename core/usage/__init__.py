"""What visitors asked and what they were answered: numbers, never photos.

records     the values: one match, what somebody said of its answer
usage_log   keeps them in a database of their own beside the gallery's, for as long as the operator allows
match_rows  its tables
calibrated  what it is measured against, where a collection was calibrated with labelled photos
drift       week by week: is more refused than before, have the scores moved, how many answers were right
"""

from core.usage.records import FeedbackVerdict, GivenFeedback, MatchRecord, QueryFeatures, Retention, StoredMatch
from core.usage.usage_log import UsageLog

__all__ = [
    "FeedbackVerdict",
    "GivenFeedback",
    "MatchRecord",
    "QueryFeatures",
    "Retention",
    "StoredMatch",
    "UsageLog",
]
