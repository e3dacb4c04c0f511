"""Everything that can be set from outside. Read in the composition roots only, handed on in parts."""

import os
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    Field,
    SecretStr,
    ValidationError,
    computed_field,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from omniforge.errors import KeyInvalid, Rejected
from omniforge.keys import KeyRing

_DRIVERS = {
    "sqlite+aiosqlite://": "sqlite://",
    "postgresql://": "postgresql+asyncpg://",
    "postgres://": "postgresql+asyncpg://",
}

# Of base64 and hex alike, and with nothing in it that an address would have to escape.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,}")


_OF_SERVICE = re.compile(
    r"omniforge_([a-z0-9]+)_(client_id|client_secret|redirect_uri|base_url)", re.IGNORECASE
)


class ServiceSettings(BaseModel, extra="forbid"):
    """The platform's app at a service that people connect, and where the service is."""

    client_id: str = ""
    client_secret: SecretStr | None = None
    redirect_uri: str = ""
    base_url: str = ""


class _OfServices(PydanticBaseSettingsSource):
    """`OMNIFORGE_<NAME>_CLIENT_ID` and its like, of services that this module need not know."""

    def __init__(self, settings: type[BaseSettings], *sources: EnvSettingsSource) -> None:
        super().__init__(settings)
        self._sources = sources

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[None, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        found: dict[str, dict[str, str]] = {}
        for source in self._sources:
            for variable, value in source.env_vars.items():
                if value and (named := _OF_SERVICE.fullmatch(variable)):
                    name, what = (part.lower() for part in named.groups())
                    found.setdefault(name, {})[what] = value
        return {"services": found} if found else {}


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
    public_url: str = Field(
        "", description="How outside services reach the API. Default: as the caller did."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_file: Path | None = None
    temporal_ui_url: str = "http://localhost:8233"

    credential_keys: tuple[SecretStr, ...] = Field(
        (), description="Newest first: it encrypts, every one of them decrypts."
    )
    credential_encryption_key: SecretStr | None = Field(
        None, description="The same, where there is one key only."
    )
    codec_token: SecretStr | None = Field(
        None,
        description="Of operators, to read payloads in Temporal's Web UI. Without it nobody can.",
    )

    llm_provider: Literal["", "anthropic", "openai", "offline"] = Field(
        "", description="Default: the first that has a key, anthropic before openai, else offline."
    )
    llm_model: str = Field("", description="Default: the provider's.")
    llm_fallbacks: tuple[str, ...] = Field(
        (), max_length=5, description="Models to ask when the first cannot be had, in this order."
    )
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
    openai_api_key: SecretStr | None = Field(None, validation_alias="OPENAI_API_KEY")
    openai_base_url: str | None = Field(None, validation_alias="OPENAI_BASE_URL")
    openai_api: Literal["auto", "responses", "chat"] = Field(
        "auto", description="Auto: Responses at OpenAI's own address, else Chat Completions."
    )
    openai_native_tools: bool = Field(
        True,
        description="False: the models at OPENAI_BASE_URL know no tools; describe them in text.",
    )
    openai_reasoning_effort: str = Field("", description="Sent as it is; empty: not sent.")

    tools: tuple[str, ...] = Field(
        (), description="Importable modules whose functions under @tool the worker offers."
    )
    http_allow_private: tuple[str, ...] = Field(
        (),
        description="Hosts that tools may call although their addresses are private: host[:port].",
    )
    http_timeout_s: float = Field(30, gt=0, le=300, description="For one request of an HTTP tool.")
    sandbox: Literal["auto", "bwrap", "native", "off"] = Field(
        "auto", description="How scripts of skills run; off: they are refused."
    )
    sandbox_timeout_s: int = Field(60, ge=1, le=3_600, description="For one script.")
    sandbox_memory_mb: int = Field(1_024, ge=128, le=65_536, description="All its processes.")
    sandbox_processes: int = Field(64, ge=1, le=4_096)
    sandbox_disk_mb: int = Field(512, ge=1, le=65_536, description="The run's files with its own.")
    sandbox_output_kb: int = Field(1_024, ge=1, le=65_536)
    sandbox_commands: bool = Field(
        False,
        description="Run the commands in the texts of skills, too; not for strangers' skills.",
    )
    mcp_servers: Path | None = Field(
        None, description="JSON file with the MCP servers that the operator offers."
    )
    mcp_timeout_s: float = Field(
        60, gt=0, le=600, description="For one call of an MCP server's tool, with its connecting."
    )
    context_window: int = Field(
        64_000, ge=4_000, description="In tokens, of models whose window is not known."
    )
    compact_at: float = Field(
        0.8,
        ge=0.2,
        le=0.95,
        description="Share of a model's window at which older turns give way to notes.",
    )
    max_failures: int = Field(
        5,
        ge=2,
        le=100,
        description="Failures of a tool in one way, in a row, before it is not called again.",
    )
    max_upload_mb: int = Field(32, ge=1, le=1024)
    rate_limit: int = Field(
        6_000, ge=0, description="Requests a minute of one person or program; 0: any number."
    )
    tenant_rate_limit: int = Field(
        30_000, ge=0, description="Requests a minute of a whole workspace; 0: any number."
    )
    failed_sign_ins: int = Field(
        30, ge=1, le=100_000, description="Wrong credentials a minute from one address."
    )
    jwt_issuer: str = Field("", description="Whose tokens are taken. Empty: nobody's.")
    jwt_audience: str = Field("", description="Which of its tokens are meant for this platform.")
    jwt_algorithms: tuple[Literal["RS256", "PS256", "ES256", "EdDSA"], ...] = Field(
        ("RS256", "ES256"), min_length=1, description="How they may be signed."
    )
    jwt_jwks_url: str = Field("", description="Where the issuer publishes its keys.")
    jwt_public_key: str = Field("", description="Or its one key, as PEM.")
    jwt_tenant_claim: str = Field("tenant_id", min_length=1)
    jwt_role_claim: str = Field("role", min_length=1)
    services: dict[str, ServiceSettings] = Field(
        {}, description="Apps at services that people connect, and other addresses of those."
    )
    max_concurrent_skills: int = Field(200, ge=1, le=10_000, description="Per worker.")
    max_concurrent_runs: int = Field(
        0, ge=0, le=1_000_000, description="Of a workspace that has set nothing; 0: any number."
    )
    worker_build: str = Field(
        "", max_length=128, description="Name of this build: runs end on the build they began on."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # What is read later wins, and the process's own variables win over its file.
        read = [
            one for one in (dotenv_settings, env_settings) if isinstance(one, EnvSettingsSource)
        ]
        of_services = _OfServices(settings_cls, *read)
        return init_settings, env_settings, of_services, dotenv_settings

    @field_validator("database_url")
    @classmethod
    def _our_driver(cls, url: str) -> str:
        for plain, driver in _DRIVERS.items():
            if url.startswith(plain):
                return driver + url.removeprefix(plain)
        return url

    @field_validator("codec_token")
    @classmethod
    def _not_guessable(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not _TOKEN.fullmatch(token.get_secret_value()):
            raise ValueError(
                "it must be 32 or more letters, digits, - and _, for it is part of an address;"
                " `python -m api new-key` makes one"
            )
        return token

    @model_validator(mode="after")
    def _whole_issuer(self) -> Self:
        keys = [self.jwt_jwks_url, self.jwt_public_key]
        if self.jwt_issuer and not (self.jwt_audience and sum(map(bool, keys)) == 1):
            raise ValueError(
                "OMNIFORGE_JWT_ISSUER needs OMNIFORGE_JWT_AUDIENCE, and OMNIFORGE_JWT_JWKS_URL or"
                " OMNIFORGE_JWT_PUBLIC_KEY"
            )
        return self

    @model_validator(mode="after")
    def _usable_keys(self) -> Self:
        _ = self.key_ring
        return self

    @property
    def key_ring(self) -> KeyRing:
        """The keys to encrypt with. Without any, nothing is encrypted.

        Raises:
            KeyInvalid: One of them cannot be used.
        """
        single = self.credential_encryption_key
        if single is not None and self.credential_keys:
            raise KeyInvalid(
                "Set OMNIFORGE_CREDENTIAL_KEYS or OMNIFORGE_CREDENTIAL_ENCRYPTION_KEY, not both."
            )
        keys = self.credential_keys if single is None else (single,)
        return KeyRing.of(key.get_secret_value() for key in keys)

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
    def provider(self) -> Literal["anthropic", "openai", "offline"]:
        """The provider of models that name none."""
        if self.llm_provider or self.anthropic_api_key:
            return self.llm_provider or "anthropic"
        return "openai" if self.openai_api_key else "offline"


def environment() -> Mapping[str, str]:
    """The variables of this process, for configuration that names some of them."""
    return os.environ  # noqa: TID251  # here they are read, and nowhere else


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
