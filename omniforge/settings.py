"""Everything that can be set from outside. Read in the composition roots only, handed on in parts."""

from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, computed_field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from omniforge.errors import Rejected

_DRIVERS = {
    "sqlite+aiosqlite://": "sqlite://",
    "postgresql://": "postgresql+asyncpg://",
    "postgres://": "postgresql+asyncpg://",
}


class Settings(BaseSettings):
    """Environment variables with the prefix `OMNIFORGE_`, and a `.env` file in the working directory.

    The model keys keep the names their providers gave them (`ANTHROPIC_API_KEY`), and Temporal's
    address and TLS come from the SDK's own variables (`TEMPORAL_ADDRESS`, ...).
    """

    model_config = SettingsConfigDict(
        env_prefix="OMNIFORGE_", env_file=".env", extra="ignore", populate_by_name=True
    )

    home: Path = Field(Path(".omniforge"), description="State of this machine.")
    database_url: str = Field("", description="Default: a SQLite file in the home folder.")
    storage: Path = Field(
        Path(), description="Blobs, skills, workspaces. Default: storage in home."
    )

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_file: Path | None = None
    temporal_ui_url: str = "http://localhost:8233"

    llm_provider: Literal["", "anthropic", "offline"] = Field(
        "", description="Default: anthropic when ANTHROPIC_API_KEY is set, else offline."
    )
    llm_model: str = Field("", description="Default: the provider's.")
    offline_pace: float = Field(
        0.0,
        ge=0,
        le=60,
        description="Seconds the offline model takes for an answer, to be watched.",
    )
    prices: Path | None = Field(
        None, description="YAML file with prices that override the known ones."
    )
    anthropic_api_key: SecretStr | None = Field(None, validation_alias="ANTHROPIC_API_KEY")
    anthropic_base_url: str | None = Field(None, validation_alias="ANTHROPIC_BASE_URL")

    http_allow_private: tuple[str, ...] = Field(
        (),
        description="Hosts that tools may call although their addresses are private: host[:port].",
    )
    http_timeout_s: float = Field(30, gt=0, le=300, description="For one request of an HTTP tool.")
    max_upload_mb: int = Field(32, ge=1, le=1024)
    max_concurrent_skills: int = Field(200, ge=1, le=10_000, description="Per worker.")

    @field_validator("database_url")
    @classmethod
    def _our_driver(cls, url: str) -> str:
        for plain, driver in _DRIVERS.items():
            if url.startswith(plain):
                return driver + url.removeprefix(plain)
        return url

    @computed_field  # type: ignore[prop-decorator]  # pydantic's documented order
    @cached_property
    def database(self) -> str:
        """The database to use: the given URL, or the SQLite file in the home folder."""
        return self.database_url or f"sqlite:///{self.home.absolute() / 'omniforge.db'}"

    @computed_field  # type: ignore[prop-decorator]  # pydantic's documented order
    @cached_property
    def storage_path(self) -> Path:
        """The folder for blobs, skills and workspaces."""
        return self.home / "storage" if self.storage == Path() else self.storage

    @computed_field  # type: ignore[prop-decorator]  # pydantic's documented order
    @cached_property
    def provider(self) -> Literal["anthropic", "offline"]:
        """The model provider to use."""
        return self.llm_provider or ("anthropic" if self.anthropic_api_key else "offline")


def load_settings() -> Settings:
    """The settings of this process.

    Raises:
        Rejected: A variable has a value that cannot be used; the message names it.
    """
    try:
        return Settings()
    except SettingsError as error:
        raise Rejected(
            f"The settings cannot be used: {error}; lists are written as JSON."
        ) from error
    except ValidationError as error:
        problems = "; ".join(f"{_variable(one['loc'])}: {one['msg']}" for one in error.errors())
        raise Rejected(f"The settings cannot be used. {problems}") from error


def _variable(location: tuple[int | str, ...]) -> str:
    name = str(location[0]) if location else ""
    return name if name.isupper() else f"OMNIFORGE_{name.upper()}"
