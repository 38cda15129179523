"""The table of routes that the retrieval service answers: what the gateway checks and documents of every route."""

from contracts.audio import AudioParams, HeardParams
from contracts.branding import BrandingBody, BrandingChange
from contracts.calibration import CalibrationChange, CalibrationJob, CalibrationReply, CalibrationRequest
from contracts.collections import (
    CollectionChange,
    CollectionParams,
    DriftReply,
    HealthParams,
    HealthReply,
    MatchPage,
    MatchParams,
    NewCollection,
)
from contracts.feedback import FeedbackReply, FeedbackRequest
from contracts.images import (
    AddFields,
    AddReply,
    CollectionList,
    CollectionSummaryBody,
    ImageBody,
    ImageChangeBody,
    ImageFilter,
    ImagePageBody,
    KnownQuestion,
    KnownReply,
    MoveReply,
    MoveRequest,
    PlaceChange,
    PlaceFilter,
    PlacePageBody,
    PlaceParams,
    PlaceSummaryBody,
)
from contracts.inbox import (
    InboxDecision,
    InboxOutcome,
    InboxPage,
    InboxParams,
    InboxPhotoParams,
    InboxReceipt,
    InboxTerms,
)
from contracts.sample import SampleCollection, SampleParams
from contracts.statistics import StatisticsParams, StatisticsReply, StatisticsTableParams
from contracts.trash import (
    TRASH_ID_HEADER,
    DeleteParams,
    EmptyParams,
    RestoreReply,
    TrashPage,
    TrashParams,
)
from contracts.upload_plans import ManifestParams, PlanQuestion, PlanReply, TemplateParams
from gateway.routes.forwarded_route import Forwarded
from serving.openapi import AUDIO_BODY, PHOTO_BODY, form_body
from serving.roles import Role

_LARGER_BODY = 1024 * 1024
_NAMES_AND_MANIFEST = 48 * 1024 * 1024  # of 200,000 photos
_PHOTOS = form_body(AddFields, file="Photos, or ZIP archives of photos; `files` works as well.", several=True)

_COLLECTION = "/collections/{collection:path}"
_PLACE = _COLLECTION + "/places/{place:path}"
_UNDO = f"The header `{TRASH_ID_HEADER}` of the answer names what undoes it: `POST /trash/{{id}}/restore`."
MATCH, MANAGE = Role.MATCH, Role.MANAGE

# fmt: off
ROUTES = (
    Forwarded("POST", "/index/images", "add_images", MANAGE, AddReply, (408, 409, 413, 422, 503),
              "Add photos to the gallery",
              "One or many `file` parts with the same fields, or one ZIP archive with a folder per place or a "
              "`manifest.csv`, which names recordings too. Every photo has its own outcome: `added`, `duplicate` (the "
              "collection already has the same bytes) or `rejected` with the reason. A rejected one affects no other.",
              streamed=_PHOTOS, is_long=True, accepts_key=True),
    Forwarded("POST", "/index/known", "tell_known", MANAGE, KnownReply, (422, 503),
              "Which of these photos and recordings does the collection have?",
              "Lets a client resume an upload. A collection that does not exist has none of them. A manifest names "
              "a known recording by its hash, as `audio/{hash}.mp3`, without its file.",
              body=KnownQuestion, most_bytes=_LARGER_BODY),
    Forwarded("POST", "/index/plan", "plan_upload", MANAGE, PlanReply, (422, 503),
              "What would an upload become?",
              "Asked by the names of files, before any photo is sent: which are photos, and which place each of them "
              "shows. An archive is asked about by its central directory. `POST /index/images` follows the same rule.",
              body=PlanQuestion, most_bytes=_NAMES_AND_MANIFEST),
    Forwarded("GET", "/index/manifest-template", "get_manifest_template", MATCH, "text/csv", (422, 503),
              "A manifest to fill in",
              "CSV in UTF-8 with the byte order mark by which spreadsheet programs know it.",
              params=TemplateParams),
    Forwarded("GET", "/index/manifest", "get_manifest", MANAGE, "text/csv", (404, 422, 503),
              "The places of a collection as a manifest",
              "One row per place, to edit in a spreadsheet program and to send again with `POST /index/images`; with "
              "`dry_run` the reply lists what would change. Cells like 0012 begin with a tab, so that they stay text.",
              params=ManifestParams, is_long=True),
    Forwarded("GET", "/index/archive", "get_archive", MANAGE, "application/zip", (404, 422, 503),
              "A collection as a ZIP archive",
              "All photos and recordings, byte for byte, and a `manifest.csv` with the texts, to add to another "
              "collection with `POST /index/images`, or to send again. It is packed while it is sent: an answer that "
              "breaks off is no whole archive.",
              params=ManifestParams, is_long=True),
    Forwarded("POST", "/index/images/move", "move_images", MANAGE, MoveReply, (404, 422, 503),
              "Let photos show another place",
              "Named photos, and all photos of named places: this merges places. What no photo shows any more is gone, "
              "with its texts; of named places, those in languages that the other one lacks are kept. All or nothing.",
              body=MoveRequest, most_bytes=_LARGER_BODY, is_repeatable=False),
    Forwarded("GET", "/index/images", "list_images", MANAGE, ImagePageBody, (404, 422, 503),
              "List gallery images",
              "List images, oldest first, page by page; `q` looks in file names and place names. A key that is "
              "restricted to collections has to name one of them.",
              params=ImageFilter),
    Forwarded("GET", "/index/images/{image_id}", "get_image", MANAGE, ImageBody, (404, 422, 503),
              "One gallery image",
              "One image and the place that it shows."),
    Forwarded("GET", "/index/images/{image_id}/file", "get_original", MATCH, "image/*", (404, 422, 503),
              "The original photo, as it was uploaded",
              "The photo as it was sent, byte for byte."),
    Forwarded("GET", "/index/images/{image_id}/preview", "get_preview", MATCH, "image/jpeg", (404, 422, 503),
              "A small JPEG of the photo",
              "A small JPEG of the photo, without any metadata."),
    Forwarded("PATCH", "/index/images/{image_id}", "change_image", MANAGE, ImageBody, (404, 412, 422, 503),
              "Change what an image shows",
              "Fields that are not sent stay unchanged. `place_id` moves the image to another place; the other "
              "fields change the place that it then shows.",
              body=ImageChangeBody, most_bytes=_LARGER_BODY, is_conditional=True),
    Forwarded("DELETE", "/index/images/{image_id}", "delete_image", MANAGE, None, (404, 422, 503),
              "Remove an image",
              "Remove the image. When this has been answered, nobody finds the image any more.\n\n" + _UNDO,
              status=204, params=DeleteParams),
    Forwarded("GET", "/index/places", "list_places", MATCH, PlacePageBody, (404, 422, 503),
              "List places",
              "List places by name, page by page; `q` looks in all that is written of them. Hidden places are for the "
              "role `manage`. A key that is restricted to collections has to name one of them.",
              params=PlaceFilter, leaves_out_hidden=True),
    Forwarded("PUT", "/index/places/audio", "store_audio", MANAGE, PlaceSummaryBody, (404, 408, 413, 415, 422, 503),
              "Store the recording of a place in one language",
              "The body is the recording itself, and replaces an earlier one. Its transcript is a field of the place's "
              "`texts`. Visitors hear the one that `shown.audio` names.",
              params=AudioParams, streamed=AUDIO_BODY, is_long=True),
    Forwarded("GET", "/index/places/audio", "get_audio", MATCH, "audio/*", (404, 422, 503),
              "The recording of a place in one language",
              "As it was uploaded, or the part of it that a header `Range` names. Recordings of hidden places are for "
              "the role `manage`.",
              params=HeardParams, leaves_out_hidden=True),
    Forwarded("DELETE", "/index/places/audio", "delete_audio", MANAGE, None, (404, 422, 503),
              "Delete the recording of a place in one language",
              "With its transcript. This cannot be undone.",
              status=204, params=AudioParams),
    Forwarded("GET", "/index/collections", "list_collections", MATCH, CollectionList, (422, 503),
              "List collections",
              "List the collections, with how much each holds: those for which the key may be used. Hidden places and "
              "their photos are counted for the role `manage` only.",
              params=CollectionParams, leaves_out_hidden=True),
    Forwarded("GET", _COLLECTION + "/health", "get_health", MANAGE, HealthReply, (404, 409, 422, 503),
              "Problems of a collection, and what to photograph next",
              "One picture filed under two places, places that look alike, photos to take again, and advice.\n\nThe "
              "check runs beside the visitors' questions. `state` says whether the report is of the gallery as it "
              "is now; while it is `stale` or `computing`, ask again.",
              params=HealthParams),
    Forwarded("GET", _COLLECTION + "/matches", "list_matches", MANAGE, MatchPage, (404, 422, 503),
              "Recent matches, as numbers",
              "The answers and their feedback, newest first. No photo is among them, and nothing that says who asked.",
              params=MatchParams),
    Forwarded("GET", _COLLECTION + "/inbox", "list_inbox", MANAGE, InboxPage, (404, 422, 503),
              "Photos that visitors have sent",
              "Photos of answers that were none, maybe or wrong, sent with the visitor's consent, newest first.",
              params=InboxParams),
    Forwarded("GET", _COLLECTION + "/statistics", "get_statistics", MANAGE, StatisticsReply, (404, 422, 503),
              "How a collection is used",
              "Questions, answers and feedback of the last days, by day and by hour, and which places were "
              "photographed most and never (but for hidden ones). Answers that are no longer kept are not counted.",
              params=StatisticsParams),
    Forwarded("GET", _COLLECTION + "/statistics.csv", "get_statistics_table", MANAGE, "text/csv", (404, 422, 503),
              "How a collection is used, as CSV",
              "One table, in UTF-8 with the byte order mark by which spreadsheet programs know it.",
              params=StatisticsTableParams),
    Forwarded("GET", _COLLECTION + "/drift", "get_drift", MANAGE, DriftReply, (404, 422, 503),
              "Have the collection's answers changed over time?",
              "Share of photos answered and where the scores lie, week by week; precision from feedback."),
    Forwarded("GET", _COLLECTION + "/calibration", "get_calibration", MANAGE, CalibrationReply, (404, 409, 422, 503),
              "The calibration of a collection",
              "The stored calibration, whether it is valid for the models in use, and the progress of a running one."),
    Forwarded("POST", _COLLECTION + "/calibration", "start_calibration", MANAGE, CalibrationJob, (404, 409, 422, 503),
              "Calibrate a collection",
              "Starts a calibration in the background, one collection at a time; GET shows its progress.\n\nIt uses "
              "the collection's own photos, made to look taken by a visitor, and feedback. The stored calibration "
              "stays in force until the new one is stored.",
              status=202, body=CalibrationRequest, accepts_key=True),
    Forwarded("PATCH", _COLLECTION + "/calibration", "change_calibration", MANAGE, CalibrationReply,
              (404, 409, 422, 503),
              "Change the target of a calibration",
              "Another target for the same measurements. It takes effect at once; no photo is asked again.",
              body=CalibrationChange),
    Forwarded("DELETE", _COLLECTION + "/calibration", "delete_calibration", MANAGE, None, (404, 409, 422, 503),
              "Cancel the running calibration, or delete the stored one",
              "If no calibration runs, the stored one is deleted, and the built-in rule decides again.",
              status=204),
    Forwarded("GET", _COLLECTION + "/branding", "get_branding", MATCH, BrandingBody, (404, 422, 503),
              "How a collection presents its museum",
              "The museum's name, colour, privacy note and footer, which the page shows to visitors."),
    Forwarded("PATCH", _COLLECTION + "/branding", "change_branding", MANAGE, BrandingBody,
              (400, 404, 413, 415, 422, 503),
              "Change how a collection presents its museum",
              "Fields that are not sent stay unchanged; an empty text removes one.",
              body=BrandingChange, most_bytes=_LARGER_BODY),
    Forwarded("GET", _COLLECTION + "/logo", "get_logo", MATCH, "image/png", (404, 422, 503),
              "The museum's logo",
              "A PNG of at most 256 pixels on a side."),
    Forwarded("GET", _PLACE, "get_place", MATCH, PlaceSummaryBody, (404, 422, 503),
              "One place",
              "The place, its texts in all languages and as the caller reads them (`shown`), and the number of its "
              "photos. Send its `ETag` as `If-Match` with a change, so that you do not overwrite somebody else's "
              "change. A hidden place is for the role `manage`; others get 404.",
              params=PlaceParams, leaves_out_hidden=True, speaks=True),
    Forwarded("PATCH", _PLACE, "change_place", MANAGE, PlaceSummaryBody, (404, 412, 422, 503),
              "Change a place",
              "Fields that are not sent stay unchanged. `hidden` leaves the place out of every answer, or lets it be "
              "found again, at once. With `If-Match` the answer is 412 if somebody else has changed the place since it "
              "was read.",
              body=PlaceChange, most_bytes=_LARGER_BODY, is_conditional=True, speaks=True),
    Forwarded("DELETE", _PLACE, "delete_place", MANAGE, None, (404, 422, 503),
              "Delete a place",
              "The place and all photos that show it.\n\n" + _UNDO,
              status=204, params=DeleteParams, is_long=True),
    Forwarded("GET", "/inbox", "get_inbox_terms", MATCH, InboxTerms, (503,),
              "Are photos taken, and for how long?",
              "Tell the visitor before you send a photo, and send it only with their consent."),
    Forwarded("POST", "/inbox", "send_photo", MATCH, InboxReceipt, (400, 404, 408, 413, 415, 422, 503),
              "Send the photo of an answer that was none, maybe or wrong",
              "The body is the photo itself, and `request_id` names the answer: one without a place, or one that "
              "feedback calls wrong. The photo is reduced, loses its metadata, and is deleted after its time.",
              status=201, params=InboxPhotoParams, streamed=PHOTO_BODY, is_about_answers=True),
    Forwarded("DELETE", "/inbox", "withdraw_photos", MATCH, None, (404, 422, 503),
              "Withdraw the consent and delete the photos of an answer",
              "All photos that were sent for this answer. A photo about which the museum has decided is not in the "
              "inbox any more.",
              status=204, params=InboxPhotoParams),
    Forwarded("GET", "/inbox/{entry}/photo", "get_inbox_photo", MANAGE, "image/jpeg", (404, 422, 503),
              "A photo that a visitor has sent",
              "The photo, without any metadata."),
    Forwarded("POST", "/inbox/{entry}/decision", "decide", MANAGE, InboxOutcome, (404, 409, 422, 503),
              "Say what a photo shows",
              "A place (the photo is added to it), a new place (it is made with the photo), or nothing of the "
              "collection. The decision becomes the feedback on the answer, and the photo leaves the inbox.",
              body=InboxDecision, is_long=True, is_repeatable=False, accepts_key=True),
    Forwarded("DELETE", "/inbox/{entry}", "delete_inbox_photo", MANAGE, None, (404, 409, 422, 503),
              "Delete a photo",
              "Without a decision.",
              status=204),
    Forwarded("GET", "/trash", "list_trash", MANAGE, TrashPage, (422, 503),
              "What can be restored",
              "Deletions, newest first, and until when they can be undone: those in the collections of the key.",
              params=TrashParams),
    Forwarded("POST", "/trash/{deletion_id}/restore", "undo_deletion", MANAGE, RestoreReply, (404, 409, 422, 503),
              "Undo a deletion",
              "Photos come back with their ids and places. What was added again meanwhile stays as it is.",
              is_long=True, is_repeatable=False, accepts_key=True),
    Forwarded("DELETE", "/trash", "empty_trash", MANAGE, None, (422, 503),
              "Empty the trash",
              "Deletes permanently what is in it, or what is in it of one collection; with a restricted key only what "
              "is in it of the key's collections.",
              status=204, params=EmptyParams, is_long=True),
    Forwarded("DELETE", "/trash/{deletion_id}", "delete_permanently", MANAGE, None, (404, 422, 503),
              "Delete permanently",
              "One entry of the trash.",
              status=204, is_long=True),
    Forwarded("POST", "/collections", "create_collection", MANAGE, CollectionSummaryBody, (409, 422, 503),
              "Create a collection",
              "It has no photo yet. A collection that was not created begins with its first photo and ends with its "
              "last. A restricted key creates only collections that it names.",
              status=201, body=NewCollection, is_repeatable=False, accepts_key=True),
    # After the longer paths below /collections, because these paths match them too.
    Forwarded("PATCH", _COLLECTION, "rename_collection", MANAGE, CollectionSummaryBody, (404, 422, 503),
              "Change a collection",
              "Its name, and the language of its places' names and descriptions. Photos, calibration and recent "
              "matches keep their collection.\n\nLinks and QR codes of visitors with the old name lead to it until "
              "another collection gets that name: a match, the lists and one place are answered. Changes need the new "
              "name.",
              body=CollectionChange, is_repeatable=False),
    Forwarded("DELETE", _COLLECTION, "delete_collection", MANAGE, None, (404, 422, 503),
              "Delete a collection",
              "Photos, places, calibration and recent matches. When this has been answered, nobody finds anything of "
              "it.\n\n" + _UNDO,
              status=204, params=DeleteParams, is_long=True),
    Forwarded("GET", "/sample", "get_sample", MATCH, SampleCollection, (422, 503),
              "The sample collection and its progress",
              "What it is made of, with photographers and terms, and photos to try it with.",
              params=SampleParams),
    Forwarded("POST", "/sample", "build_sample", MANAGE, SampleCollection, (422, 503),
              "Build the sample collection",
              "In the background, from freely licensed photographs; ask with GET how far it is. Delete it as any "
              "collection.",
              status=202, params=SampleParams),
    Forwarded("GET", "/sample/queries/{number}", "get_query", MATCH, "image/jpeg", (422, 503),
              "A test photo for the sample",
              "A photograph of the sample as a visitor might have taken it, or the last one, which is not in the "
              "sample."),
    Forwarded("POST", "/feedback", "give_feedback", MATCH, FeedbackReply, (404, 422, 503),
              "Report whether an answer was right",
              "Name the answer by its `request_id` and say: `right`, `wrong`, `other_place` (and which), "
              "`not_in_collection`.\n\nSaid again, it replaces what was said before. No photo is kept with it.",
              body=FeedbackRequest, is_about_answers=True),
)
# fmt: on
