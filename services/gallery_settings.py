"""Where the gallery is kept: settings that both services have, each with its own prefix."""

from pydantic import Field, SecretStr

from core.gallery import Storage
from serving.settings import ServiceSettings


class GallerySettings(ServiceSettings):
    """Base of the settings of the services that open the gallery."""

    database_url: SecretStr = Field(
        default=SecretStr(""),
        description="PostgreSQL that keeps the gallery's rows, `postgresql://USER:PASSWORD@HOST:5432/DATABASE`; "
        "unset: SQLite in the gallery's folder",
    )

    @property
    def storage(self) -> Storage:
        """Where rows, photos and vectors are kept."""
        return Storage(database_url=self.database_url.get_secret_value())
