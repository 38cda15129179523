"""Past matches, feedback, background jobs, replies to writes and events as numbers and texts; and photos for the inbox.

records         the values: one match and the feedback on it
usage_log       keeps matches and feedback as long as the operator allows
match_rows      SQL on them
jobs            background jobs that every replica can report
job_rows        SQL on them
replies         replies to writes that callers named by a key
reply_rows      SQL on them
outbox          events that are to be sent
outbox_rows     SQL on them
inbox           photos that a curator decides about, kept as long as the operator allows
inbox_rows      SQL on them
usage_database  the tables of all of them, beside the gallery's
calibrated      the labelled photos of a calibration, which drift is measured against
drift           week by week: refusals, scores and right answers
statistics      questions and feedback by day and hour, and which places were photographed
"""

from core.journal.inbox import Inbox, InboxEntry
from core.journal.jobs import Job, Jobs
from core.journal.outbox import Outbox, WaitingEvent
from core.journal.records import FeedbackVerdict, GivenFeedback, MatchRecord, QueryFeatures, Retention, StoredMatch
from core.journal.replies import Replies, Reply
from core.journal.usage_database import UsageDatabase
from core.journal.usage_log import UsageLog

__all__ = [
    "FeedbackVerdict",
    "GivenFeedback",
    "Inbox",
    "InboxEntry",
    "Job",
    "Jobs",
    "MatchRecord",
    "Outbox",
    "QueryFeatures",
    "Replies",
    "Reply",
    "Retention",
    "StoredMatch",
    "UsageDatabase",
    "UsageLog",
    "WaitingEvent",
]
