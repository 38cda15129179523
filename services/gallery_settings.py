"""Where the gallery is kept: settings that both services have, each with its own prefix."""

from pydantic import Field, SecretStr

from core.gallery import Storage
from serving.settings import ServiceSettings


class GallerySettings(ServiceSettings):
    """Base of the settings of the services that open the gallery."""

    database_url: SecretStr = Field(
        default=SecretStr(""),
        description="PostgreSQL database for the gallery's rows, `postgresql://USER:PASSWORD@HOST:5432/DATABASE`; "
        "unset: SQLite in the gallery's folder",
    )
    photo_store: str = Field(
        default="",
        description="bucket for originals and previews, `s3://BUCKET/PREFIX`; unset: the gallery's folder",
    )
    s3_endpoint: str = Field(
        default="",
        description="URL of an S3-compatible store other than Amazon's, `http://HOST:9000`; AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY hold its keys",
    )
    photo_cache_bytes: int = Field(
        default=4 * 1024**3,
        gt=0,
        description="most disk space for copies of a bucket's photos in the gallery's folder, bytes",
    )

    @property
    def storage(self) -> Storage:
        """Where rows, photos and vectors are kept."""
        return Storage(
            database_url=self.database_url.get_secret_value(),
            photo_store=self.photo_store,
            s3_endpoint=self.s3_endpoint,
            photo_cache_bytes=self.photo_cache_bytes,
        )
