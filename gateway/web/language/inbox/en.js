/** English for the inbox, fetched when it is opened. Keys are shared with zh.js. */
export default {
  "inbox.title": "Inbox",
  "inbox.off":
    "No photos are taken. With M1_INBOX_DAYS=14, for example, visitors are asked whether the museum may keep a photo for 14 days when the answer is none, uncertain or wrong.",
  "inbox.text.one":
    "Visitors sent these photos because the answer was none, uncertain or wrong. They are deleted within {count} day. Your decision counts as feedback on the answer.",
  "inbox.text.other":
    "Visitors sent these photos because the answer was none, uncertain or wrong. They are deleted within {count} days. Your decision counts as feedback on the answer.",
  "inbox.none": "No photos are waiting.",
  "inbox.photo": "Photo of {when}",
  "inbox.until": "until {day}",
  "inbox.refused": "No match",
  "inbox.maybe": "Perhaps: {name}",
  "inbox.answered": "Answer: {name}",
  "inbox.nearest": "It is “{name}”",
  "inbox.place": "It is another place…",
  "inbox.place.title": "Which place is it?",
  "inbox.new": "A new place…",
  "inbox.new.title": "What is the new place called?",
  "inbox.new.add": "Add",
  "inbox.nothing": "Not ours",
  "inbox.delete": "Delete",
  "inbox.added": "Added to “{name}”.",
  "inbox.recorded": "Recorded: not in the collection.",
  "inbox.deleted": "Deleted.",
  "error.unknown_inbox_photo": "This photo is no longer in the inbox",
};
