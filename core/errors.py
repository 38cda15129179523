"""Every error the library raises on purpose.

SemanticMatchError
├── InvalidImage             bytes that are not an accepted image
│   ├── UnsupportedFormat    a file, but of a kind we do not decode
│   └── ImageTooLarge        too many bytes or too many pixels
├── UnsupportedAudio         bytes that are not a recording of an accepted kind
├── InvalidRequest           a value outside what is accepted (top_k=0, unknown style, bad field)
├── UnknownMatch             no match of that request is stored
├── UnknownInboxPhoto        no such photo is in the inbox
├── UnknownBackend           no encoder or verifier of that name
├── BackendUnavailable       the backend exists but cannot work here (weights missing, endpoint down)
│   ├── OutOfMemory          the batch did not fit the device; a smaller one may
│   ├── DeviceLost           the device failed permanently; only a new process can use it
│   ├── InvalidNumbers       a model computed NaN or infinity
│   └── NoVerdict            a pair was asked about, and the reply is neither yes nor no
└── GalleryError
    ├── EmptyGallery         nothing to search in
    ├── UnknownCollection    no collection of that name
    ├── UnknownPlace         no place of that id in the collection
    ├── UnknownImage         no image of that id
    ├── UnknownRecording     no recording of the place in that language
    ├── UnknownDeletion      nothing of that id is in the trash
    ├── CollectionExists     a collection of that name is there already
    ├── ChangedMeanwhile     somebody else changed it since the caller read it
    ├── EncoderMismatch      the gallery was made by another encoder
    └── GalleryUnavailable   the store cannot be read or written (disk full, locked, damaged)

Messages state the fact in lower case, then the value, then what would be accepted or what to do.
"""


class SemanticMatchError(Exception):
    """Base of everything below."""


class InvalidImage(SemanticMatchError):
    """The bytes are not a readable picture."""


class UnsupportedFormat(InvalidImage):
    """The bytes are of a kind that is not decoded here."""


class ImageTooLarge(InvalidImage):
    """The picture exceeds the byte or pixel limit."""


class UnsupportedAudio(SemanticMatchError):
    """The bytes are not a recording of an accepted kind."""


class InvalidRequest(SemanticMatchError):
    """A value lies outside what is accepted."""


class UnknownMatch(SemanticMatchError):
    """No match of that request is stored, or it has expired."""


class UnknownInboxPhoto(SemanticMatchError):
    """No such photo is in the inbox, or it has been deleted."""


class UnknownBackend(SemanticMatchError):
    """No backend is registered under that name."""


class BackendUnavailable(SemanticMatchError):
    """The backend is known but cannot work here and now."""


class OutOfMemory(BackendUnavailable):
    """The batch did not fit into the device's memory; a smaller one may."""


class DeviceLost(BackendUnavailable):
    """The device failed permanently; only a new process can use it again."""


class InvalidNumbers(BackendUnavailable):
    """A model computed NaN or infinity."""


class NoVerdict(BackendUnavailable):
    """A pair was asked about, and the reply is neither yes nor no."""


class GalleryError(SemanticMatchError):
    """Base of everything that can be wrong with a gallery."""


class EmptyGallery(GalleryError):
    """The collection asked for holds no image."""


class UnknownCollection(GalleryError):
    """No collection of that name exists."""


class UnknownPlace(GalleryError):
    """No place of that id exists in the collection."""


class UnknownImage(GalleryError):
    """No image of that id exists."""


class UnknownRecording(GalleryError):
    """The place has no recording in that language."""


class UnknownDeletion(GalleryError):
    """Nothing of that id is in the trash, or no longer."""


class CollectionExists(GalleryError):
    """A collection of that name exists already."""


class ChangedMeanwhile(GalleryError):
    """It is not as the caller read it: another caller has changed it since."""


class EncoderMismatch(GalleryError):
    """The gallery's vectors were made by another encoder."""


class GalleryUnavailable(GalleryError):
    """The gallery's files cannot be read or written at the moment."""
