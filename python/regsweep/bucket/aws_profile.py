"""Keys and settings of AWS in the environment and in ``~/.aws``.

The order is that of AWS's own libraries: variables, then the token of a web identity, then the profile; after that
come the credentials of the machine (container, instance), for which the core asks itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from configparser import Error as ParseError
from configparser import RawConfigParser
from dataclasses import dataclass, field
from pathlib import Path

from regsweep.bucket.go_values import BOOLEANS
from regsweep.errors import DriverError

# The second name of each is an old one that aws-sdk-go still reads (aws/session/env_config.go).
_ACCESS_KEY_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY")
_SECRET_KEY_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY")
_PROFILE_VARIABLES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
_REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
_DEFAULT_PROFILE = "default"
# What would have to be asked for at another service first. Keys beside a role belong to whom the role is asked of.
_ROLE_SETTINGS = ("role_arn", "source_profile", "credential_source", "web_identity_token_file")
_SIGN_IN_SETTINGS = ("sso_session", "sso_start_url", "sso_account_id", "login_session")
_PROGRAM_SETTINGS = ("credential_process",)
_EXPORT = 'run: eval "$(aws configure export-credentials --profile {profile} --format env)", and then regsweep'


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile of ``~/.aws/credentials`` and ``~/.aws/config``, put together.

    Attributes:
        name: its name.
        exists: whether either file has it.
        settings: what they say of it. Holds secrets.
        endpoint: the address that it names for S3, where it does.
    """

    name: str
    exists: bool
    settings: Mapping[str, str] = field(repr=False)
    endpoint: str | None = None

    def keys(self, *, wanted: bool, driver: str) -> dict[str, str]:
        """The keys that are in the files; none where the profile has none.

        Args:
            wanted: the operator has asked for this profile by its name.
            driver: for the error.

        Raises:
            DriverError: there is no such profile although it is wanted, or its keys have to be asked for somewhere.
        """
        if not self.exists and wanted:
            raise DriverError(
                f"there is no profile {self.name!r} in the files of AWS",
                driver=driver,
                next_step="see ~/.aws/credentials and ~/.aws/config, or what AWS_SHARED_CREDENTIALS_FILE and "
                "AWS_CONFIG_FILE name",
            )
        access_key, secret_key = self.settings.get("aws_access_key_id"), self.settings.get("aws_secret_access_key")
        has_keys = bool(access_key and secret_key)
        # A program is asked only where there are no keys; a role and a sign-in come before keys.
        for setting in (*_ROLE_SETTINGS, *_SIGN_IN_SETTINGS, *(() if has_keys else _PROGRAM_SETTINGS)):
            if setting in self.settings:
                raise DriverError(
                    f"the profile {self.name!r} of AWS has its keys from elsewhere ({setting}), which regsweep does "
                    "not ask",
                    driver=driver,
                    next_step=_EXPORT.format(profile=self.name),
                )
        if not access_key or not secret_key:
            return {}
        token = self.settings.get("aws_session_token") or self.settings.get("aws_security_token") or ""
        return {"access_key_id": access_key, "secret_access_key": secret_key, "session_token": token}


class AwsEnvironment:
    """What the environment says of AWS.

    Args:
        environment: its variables.
        driver: for errors.
        config_file: whether ``~/.aws/config`` counts; by default as for the registry, only with
            ``AWS_SDK_LOAD_CONFIG``.
    """

    def __init__(self, environment: Mapping[str, str], driver: str, *, config_file: bool | None = None) -> None:
        self._environment = environment
        self._driver = driver
        self._config_file = self._flag("AWS_SDK_LOAD_CONFIG") if config_file is None else config_file
        self._profile: Profile | None = None

    def keys(self) -> dict[str, str]:
        """Keys, as settings of a location; none where the core is to ask the machine.

        Raises:
            DriverError: half a pair is set; the profile cannot be read or has its keys from elsewhere.
        """
        access_key, secret_key = self._first(_ACCESS_KEY_VARIABLES), self._first(_SECRET_KEY_VARIABLES)
        if bool(access_key) != bool(secret_key):
            names = [_ACCESS_KEY_VARIABLES[0], _SECRET_KEY_VARIABLES[0]]
            there, missing = names if access_key else names[::-1]
            raise DriverError(
                f"{there} is set, and {missing} is not", driver=self._driver, next_step="set both, or neither"
            )
        if access_key:
            token = self._environment.get("AWS_SESSION_TOKEN", "")
            return {"access_key_id": access_key, "secret_access_key": secret_key, "session_token": token}
        if self._environment.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
            return {}
        return self.profile.keys(wanted=bool(self._first(_PROFILE_VARIABLES)), driver=self._driver)

    @property
    def region(self) -> str:
        """The region; empty where nothing names one."""
        return self._first(_REGION_VARIABLES) or self.profile.settings.get("region", "")

    @property
    def endpoint(self) -> str | None:
        """The address of S3 that variables or the profile name."""
        if self._flag("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
            return None
        return self._first(("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")) or self.profile.endpoint

    @property
    def uses_dual_stack(self) -> bool:
        """Whether addresses are wanted that IPv6 reaches."""
        return self._flag("AWS_USE_DUALSTACK_ENDPOINT")

    @property
    def uses_fips(self) -> bool:
        """Whether only FIPS endpoints may be used."""
        return self._flag("AWS_USE_FIPS_ENDPOINT")

    @property
    def profile(self) -> Profile:
        """The chosen profile; an empty one where the files have none of the name.

        Raises:
            DriverError: a file cannot be read or understood.
        """
        if self._profile is None:
            self._profile = self._read_profile()
        return self._profile

    def _read_profile(self) -> Profile:
        name = self._first(_PROFILE_VARIABLES) or _DEFAULT_PROFILE
        credentials = self._read_file("AWS_SHARED_CREDENTIALS_FILE", "credentials")
        config = self._read_file("AWS_CONFIG_FILE", "config") if self._config_file else RawConfigParser()
        found: list[Mapping[str, str]] = []
        # Later ones win: what is in the credentials file, then "[profile default]" over "[default]".
        sections = [(config, name)] if name == _DEFAULT_PROFILE else []
        for parser, section in (*sections, (config, f"profile {name}"), (credentials, name)):
            if parser.has_section(section):
                found.append(dict(parser.items(section)))
        settings = {setting: value.strip() for section in found for setting, value in section.items() if value}
        endpoint = _nested(config, f"services {settings.get('services', '')}", "s3").get("endpoint_url")
        return Profile(name, bool(found), settings, endpoint or settings.get("endpoint_url"))

    def _read_file(self, variable: str, name: str) -> RawConfigParser:
        # "DEFAULT" is a section like any other to AWS.
        parser = RawConfigParser(strict=False, interpolation=None, default_section="\0")
        path = self._environment.get(variable) or ""
        if not path and (home := self._environment.get("HOME")):
            path = f"{home}/.aws/{name}"
        elif path.startswith("~/"):
            path = f"{self._environment.get('HOME', '~')}{path[1:]}"
        if not path:
            return parser
        try:
            parser.read_string(Path(path).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            raise DriverError(f"cannot read {path}: {error.strerror}", driver=self._driver) from error
        except (ParseError, UnicodeError):
            # The original quotes the line, which may be the one with the secret.
            raise DriverError(
                f"{path} is not a file of AWS's profiles", driver=self._driver, next_step="see what aws says to it"
            ) from None
        return parser

    def _first(self, variables: tuple[str, ...]) -> str:
        return next((value for name in variables if (value := self._environment.get(name))), "")

    def _flag(self, variable: str) -> bool:
        return BOOLEANS.get(self._environment.get(variable, ""), False)


def _nested(parser: RawConfigParser, section: str, name: str) -> dict[str, str]:
    """The indented settings below a name, as in ``s3 =``."""
    text = parser.get(section, name, fallback=None) or ""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}
