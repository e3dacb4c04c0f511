"""Which platform to talk to, and with which key."""

from dataclasses import dataclass
from pathlib import Path

FILE = "credentials.json"


@dataclass(frozen=True, slots=True)
class SignIn:
    """What a client needs. `source` tells people where it comes from."""

    api_url: str
    api_key: str
    source: str


def sign_in(api_url: str | None, api_key: str | None) -> SignIn:
    """The address and the key given, each completed from the credentials of the home folder.

    Raises:
        Unauthenticated: Neither was given, and there is no credentials file.
        Rejected: The credentials file, or a setting, cannot be used.
    """
    if api_url and api_key:
        return SignIn(api_url, api_key, "options or environment")
    from omniforge.errors import Unauthenticated
    from omniforge.store.bootstrap import read_credentials

    file = find_home() / FILE
    kept = read_credentials(file)
    if kept is None:
        raise Unauthenticated(
            f"Not signed in: there is no {file}. Start a platform with `make up`, or set"
            " OMNIFORGE_API_URL and OMNIFORGE_API_KEY."
        )
    return SignIn(api_url or kept.api_url, api_key or kept.api_key, str(file))


def find_home() -> Path:
    """The nearest home folder with credentials, from the working directory upwards.

    Where there is none, the one that a platform started here would make.
    """
    from omniforge.settings import load_settings

    home = load_settings().home
    here = Path.cwd()
    places = [folder / home for folder in (here, *here.parents)]
    return next((place for place in places if (place / FILE).is_file()), places[0])
