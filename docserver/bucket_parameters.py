"""The parameters of a bucket's URL: their names, and the environment variables that supply what the URL lacks.

It knows nothing of what their values mean.
"""

from collections.abc import Collection, Mapping

FROM_VARIABLE = "$"
"""A parameter that comes from an environment variable is named by this, followed by the name of the variable."""

PROVIDERS = ("AWS_", "AZURE_", "GOOGLE_")
"""What the names of the providers' variables begin with."""

_SERVICE_ACCOUNT = "SERVICE_ACCOUNT"
"""The library that reads and writes objects takes this variable for a file with a key of Google's."""

USUAL: dict[str, dict[str, tuple[str, ...]]] = {
    "s3": {
        # AWS's own programs prefer the first to the second. Many others know the third.
        "endpoint": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
        "endpoint_url_sts": ("AWS_ENDPOINT_URL_STS",),
        "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
        "access_key_id": ("AWS_ACCESS_KEY_ID",),
        "secret_access_key": ("AWS_SECRET_ACCESS_KEY",),
        "session_token": ("AWS_SESSION_TOKEN",),
        "role_arn": ("AWS_ROLE_ARN",),
        "role_session_name": ("AWS_ROLE_SESSION_NAME",),
        "web_identity_token_file": ("AWS_WEB_IDENTITY_TOKEN_FILE",),
        "container_credentials_relative_uri": ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",),
        "container_credentials_full_uri": ("AWS_CONTAINER_CREDENTIALS_FULL_URI",),
        "container_authorization_token_file": ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",),
    },
    "az": {
        "endpoint": ("AZURE_STORAGE_ENDPOINT",),
        "account_name": ("AZURE_STORAGE_ACCOUNT_NAME",),
        "account_key": ("AZURE_STORAGE_ACCOUNT_KEY",),
        "sas_token": ("AZURE_STORAGE_SAS_TOKEN",),
        "client_id": ("AZURE_CLIENT_ID",),
        "client_secret": ("AZURE_CLIENT_SECRET",),
        "tenant_id": ("AZURE_TENANT_ID",),
        "authority_host": ("AZURE_AUTHORITY_HOST",),
        "federated_token_file": ("AZURE_FEDERATED_TOKEN_FILE",),
    },
    "gs": {
        "application_credentials": ("GOOGLE_APPLICATION_CREDENTIALS",),
        "service_account": ("GOOGLE_SERVICE_ACCOUNT",),
        "service_account_key": ("GOOGLE_SERVICE_ACCOUNT_KEY",),
    },
}
"""For each kind of bucket: the parameters that variables may set, each with its variables, the strongest first."""

_KEYS = frozenset({"access_key_id", "secret_access_key"})

_CREDENTIALS: dict[str, tuple[frozenset[str], ...]] = {
    "s3": (
        _KEYS | {"session_token"},
        frozenset({"role_arn", "web_identity_token_file"}),
        frozenset({"container_credentials_relative_uri"}),
        frozenset({"container_credentials_full_uri", "container_authorization_token_file"}),
        frozenset({"skip_signature"}),
    ),
    "az": (
        frozenset({"account_key"}),
        frozenset({"sas_token"}),
        frozenset({"token", "bearer_token"}),
        frozenset({"client_id", "client_secret", "tenant_id", "federated_token_file"}),
        frozenset({"use_azure_cli"}),
        frozenset({"skip_signature"}),
    ),
    "gs": (
        frozenset({"application_credentials"}),
        frozenset({"service_account"}),
        frozenset({"service_account_key"}),
        frozenset({"bearer_token"}),
        frozenset({"skip_signature"}),
    ),
}
"""For each kind of bucket: the ways to prove who asks, each with its parameters."""

_PREFIXES = {"s3": ("aws_",), "az": ("azure_storage_", "azure_"), "gs": ("google_",)}
_OTHER_NAMES = {
    "s3": {"endpoint_url": "endpoint", "endpoint_url_s3": "endpoint", "default_region": "region"},
    "az": {
        "access_key": "account_key",
        "master_key": "account_key",
        "sas_key": "sas_token",
        "authority_id": "tenant_id",
    },
    "gs": {"service_account_path": "service_account"},
}


def parameter(scheme: str, name: str) -> str:
    """The parameter that a name in a URL of this kind means; a parameter may have several names."""
    if name.startswith(FROM_VARIABLE):
        variable = name.removeprefix(FROM_VARIABLE)
        return next((known for known, names in USUAL.get(scheme, {}).items() if variable in names), name)
    if scheme != "s3":
        name = name.lower()
    prefix = next((prefix for prefix in _PREFIXES.get(scheme, ()) if name.startswith(prefix)), "")
    name = name.removeprefix(prefix)
    return _OTHER_NAMES.get(scheme, {}).get(name, name)


def from_variables(scheme: str, names: Collection[str], values: Mapping[str, str | None]) -> dict[str, str]:
    """What variables add to a URL with parameters of these `names`. Each parameter is named by its variable.

    The URL wins over variables. If it names a way to prove who asks, no variable adds another way.
    """
    own = {parameter(scheme, name) for name in names}
    ways = _CREDENTIALS.get(scheme, ())
    own_ways = [way for way in ways if way & own]
    unused = frozenset[str]().union(*(way for way in ways if own_ways and way not in own_ways))
    if own >= _KEYS:
        # One of the environment belongs to other keys.
        unused |= {"session_token"}
    found = {}
    for name, variables in USUAL.get(scheme, {}).items():
        variable = next((each for each in variables if (values.get(each) or "").strip()), None)
        if variable and name not in own and name not in unused:
            found[FROM_VARIABLE + variable] = (values[variable] or "").strip()
    return found


def is_of_provider(name: str) -> bool:
    """True for variables that the library would take as parameters on its own, whatever the URL says."""
    return name.startswith(PROVIDERS) or name == _SERVICE_ACCOUNT
