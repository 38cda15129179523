"""The HTTP status and code of every error of the library. Data only."""

from contracts.errors import ErrorCode
from core.errors import (
    BackendUnavailable,
    ChangedMeanwhile,
    CollectionExists,
    DeviceLost,
    EmptyGallery,
    EncoderMismatch,
    GalleryError,
    GalleryUnavailable,
    ImageTooLarge,
    InvalidImage,
    InvalidNumbers,
    InvalidRequest,
    NoVerdict,
    OutOfMemory,
    SemanticMatchError,
    UnknownBackend,
    UnknownCollection,
    UnknownDeletion,
    UnknownImage,
    UnknownInboxPhoto,
    UnknownMatch,
    UnknownPlace,
    UnknownRecording,
    UnsupportedAudio,
    UnsupportedFormat,
)
from core.gallery.audio import ACCEPTED_AUDIO
from core.imaging.decoding import ACCEPTED_FORMATS
from serving.errors import ErrorRow, ErrorTable

CORE_ERRORS: ErrorTable = {
    InvalidImage: ErrorRow(400, ErrorCode.INVALID_IMAGE, accepted=f"one complete {ACCEPTED_FORMATS} photo"),
    UnsupportedFormat: ErrorRow(415, ErrorCode.UNSUPPORTED_FORMAT, accepted=ACCEPTED_FORMATS),
    ImageTooLarge: ErrorRow(413, ErrorCode.IMAGE_TOO_LARGE, accepted="a smaller photo"),
    UnsupportedAudio: ErrorRow(415, ErrorCode.UNSUPPORTED_AUDIO, accepted=ACCEPTED_AUDIO),
    InvalidRequest: ErrorRow(422, ErrorCode.INVALID_REQUEST),
    EmptyGallery: ErrorRow(409, ErrorCode.EMPTY_GALLERY, accepted="add photos first: POST /index/images"),
    UnknownCollection: ErrorRow(404, ErrorCode.UNKNOWN_COLLECTION, accepted="one listed by GET /index/collections"),
    UnknownPlace: ErrorRow(404, ErrorCode.UNKNOWN_PLACE, accepted="one listed by GET /index/places"),
    UnknownDeletion: ErrorRow(404, ErrorCode.UNKNOWN_DELETION, accepted="one listed by GET /trash"),
    CollectionExists: ErrorRow(409, ErrorCode.COLLECTION_EXISTS, accepted="a name that is free"),
    ChangedMeanwhile: ErrorRow(412, ErrorCode.CHANGED_MEANWHILE, accepted="the ETag of the latest GET as If-Match"),
    UnknownImage: ErrorRow(404, ErrorCode.UNKNOWN_IMAGE, accepted="one listed by GET /index/images"),
    UnknownRecording: ErrorRow(404, ErrorCode.UNKNOWN_RECORDING, accepted="a language of the place's `recordings`"),
    UnknownMatch: ErrorRow(404, ErrorCode.UNKNOWN_MATCH, accepted="the request_id of a recent match"),
    UnknownInboxPhoto: ErrorRow(
        404, ErrorCode.UNKNOWN_INBOX_PHOTO, accepted="one listed by GET /collections/{collection}/inbox"
    ),
    EncoderMismatch: ErrorRow(409, ErrorCode.ENCODER_MISMATCH),
    GalleryUnavailable: ErrorRow(503, ErrorCode.GALLERY_UNAVAILABLE, retry_after_s=5),
    GalleryError: ErrorRow(503, ErrorCode.GALLERY_UNAVAILABLE),
    OutOfMemory: ErrorRow(503, ErrorCode.BACKEND_UNAVAILABLE, retry_after_s=5),
    BackendUnavailable: ErrorRow(503, ErrorCode.BACKEND_UNAVAILABLE, retry_after_s=30),
    DeviceLost: ErrorRow(503, ErrorCode.BACKEND_UNAVAILABLE, retry_after_s=30),
    InvalidNumbers: ErrorRow(503, ErrorCode.BACKEND_UNAVAILABLE, retry_after_s=30),
    NoVerdict: ErrorRow(503, ErrorCode.BACKEND_UNAVAILABLE, retry_after_s=30),
    UnknownBackend: ErrorRow(503, ErrorCode.BACKEND_UNAVAILABLE),
    SemanticMatchError: ErrorRow(500, ErrorCode.INTERNAL),
}
