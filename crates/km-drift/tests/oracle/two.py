"""Settings in every spelling of pydantic-settings 2."""

import os
from datetime import timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Dict, FrozenSet, List, Literal, Mapping, Optional, Set, Tuple, Union

import pydantic
from pydantic import (
    AliasChoices,
    AliasPath,
    AnyHttpUrl,
    AnyUrl,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    PositiveInt,
    PostgresDsn,
    PrivateAttr,
    SecretBytes,
    SecretStr,
    conint,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import BaseSettings as Renamed

from shared import ServiceBase

HOST = "prometheus"
PORT = 9_090
URL = "http://" f"{HOST}:{PORT}"
ORDER = ["ollama", *("openai", "azure")]
TIMEOUTS = {"connect": 2, "read": 0x1E}
Tags = List[str]
LEFT, RIGHT = "l", "r"


def default_order():
    """The order in which models are asked."""
    return ["one", "two"]


class Color(str, Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Mode(Enum):
    FAST = "fast"
    SLOW = "slow"


class Plain(BaseSettings):
    text: str = "text"
    single: str = 'single "quoted"'
    triple: str = """two
lines"""
    raw: str = r"C:\temp\n"
    joined: str = "one " "two " 'three'
    plus: str = "a" + "-" + HOST
    times: str = "ab" * 3
    formatted: str = f"{URL}/api/{PORT}"
    bytes_: bytes = b"bytes"
    empty: str = ""
    unicode: str = "\u8fde\N{BULLET}\x41"
    decimal_int: int = 1_000_000
    hex_int: int = 0xFF
    octal_int: int = 0o17
    binary_int: int = 0b1010
    computed_int: int = 60 * 60 * 24
    power_int: int = 2**10
    shifted_int: int = 1 << 20
    negative_int: int = -5
    coerced_int: int = "30"
    ratio: float = 0.5
    whole_float: float = 3
    exponent: float = 1e-3
    infinite: float = float("inf")
    yes: bool = True
    no: bool = not True
    coerced_bool: bool = "off"
    nothing: Optional[str] = None
    maybe: Optional[int] = 7
    piped: int | None = None
    quoted: "int" = 4
    required: str
    required_field: int = Field(...)
    required_too: Annotated[str, Field(description="needed")]


class Collections(BaseSettings):
    AI_FALLBACK_ORDER: List[str] = [
        "ollama",  # the first
        "openai",
        "azure",
    ]
    from_constant: list[str] = ORDER
    extended: list[str] = ORDER + ["more"]
    alias_type: Tags = ["a"]
    numbers: List[int] = [1, "2", 0x3]
    pair: Tuple[int, str] = (1, "a")
    many: tuple[int, ...] = (1, 2, 3)
    unordered: Set[str] = {"b", "a"}
    frozen: FrozenSet[int] = frozenset([1, 2])
    mapping: Dict[str, int] = {"a": 1, **{"b": 2}}
    timeouts: Mapping[str, int] = TIMEOUTS
    anything: Any = None
    looked_up: int = TIMEOUTS["read"]
    comprehension: list[str] = [name.upper() for name in ORDER]
    empty_list: list[str] = []
    either: Union[str, List[str]] = "one"
    right: str = RIGHT


class Fields(BaseSettings):
    positional: str = Field("positional", description="d")
    keyword: str = Field(default="keyword")
    bounded: int = Field(10, ge=1, le=100)
    made: List[str] = Field(default_factory=list)
    made_dict: Dict[str, str] = Field(default_factory=dict)
    made_by_lambda: List[str] = Field(default_factory=lambda: ["x", "y"])
    made_by_function: List[str] = Field(default_factory=default_order)
    qualified: str = pydantic.Field("qualified")
    annotated: Annotated[int, Field(gt=0)] = 3
    annotated_default: Annotated[str, Field(default="inside")]
    annotated_alias: Annotated[str, Field(validation_alias="THE_ALIAS")] = "a"
    alias: str = Field("a", alias="OLD_NAME")
    validation_alias: str = Field("v", validation_alias="new_name")
    both_aliases: str = Field("b", alias="serialized", validation_alias="VALIDATED")
    choices: str = Field("c", validation_alias=AliasChoices("FIRST_CHOICE", "SECOND_CHOICE"))
    path_choice: str = Field("p", validation_alias=AliasChoices("direct", AliasPath("container", "key")))
    no_alias: str = Field("n", validation_alias=None)
    positive: PositiveInt = 4
    constrained: conint(ge=2) = 2
    ignored_env: str = Field("i", json_schema_extra={"env": "IGNORED"})
    _hidden: str = "hidden"
    _attribute: str = PrivateAttr("private")
    constant: ClassVar[str] = "constant"
    other_constant: ClassVar = 5


class Special(BaseSettings):
    password: SecretStr = SecretStr("hunter2")
    password_bytes: SecretBytes = SecretBytes(b"hunter3")
    coerced_secret: SecretStr = "plain"
    maybe_secret: Optional[SecretStr] = None
    color: Color = Color.RED
    color_by_value: Color = "blue"
    level: Level = Level.HIGH
    mode: Mode = Mode.SLOW
    mode_text: str = Mode.FAST.value
    env: Literal["dev", "prod"] = "dev"
    path: Path = Path("/var/lib") / "km"
    http: HttpUrl = "http://example.org"
    any_http: AnyHttpUrl = AnyHttpUrl("http://example.org/x")
    url: AnyUrl = "redis://cache:6379/0"
    dsn: PostgresDsn = "postgresql://km@db:5432/km"
    origins: List[AnyHttpUrl] = []
    amount: Decimal = Decimal("1.50")
    interval: timedelta = 90
    no_decode: Annotated[list[str], NoDecode] = ["a"]


class Environment(BaseSettings):
    from_env: str = os.getenv("ORACLE_FROM_ENV", "fallback")
    from_environ: str = os.environ.get("ORACLE_FROM_ENVIRON") or "other"
    port: int = int(os.getenv("ORACLE_PORT", "8080"))
    debug: bool = os.getenv("ORACLE_DEBUG", "false").lower() == "true"


class Prefixed(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="APP_", case_sensitive=False)
    name: str = "n"
    Mixed_Case: str = "m"
    aliased: str = Field("a", alias="BARE")


class PrefixedByConstant(BaseSettings):
    model_config = {"env_prefix": f"{HOST}_".upper(), "populate_by_name": True}
    name: str = "n"
    aliased: str = Field("a", alias="BARE_TOO")


class PrefixedByKeyword(BaseSettings, env_prefix="KW_"):
    name: str = "n"


class PrefixedByClass(BaseSettings):
    name: str = "n"

    class Config:
        env_prefix = "OLD_"
        case_sensitive = True


class Sensitive(BaseSettings):
    model_config = SettingsConfigDict(case_sensitive=True, env_prefix="s_")
    name: str = "n"
    NAME: str = "N"


class PrefixedAliases(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="ALL_", env_prefix_target="all")
    plain: str = "p"
    aliased: str = Field("a", alias="x")


class Validated(Renamed):
    model_config = SettingsConfigDict(**{"env_prefix": "VAL_"})
    hosts: list[str] = ["a"]

    @field_validator("hosts", mode="before")
    @classmethod
    def split(cls, value):
        return value


class Derived(ServiceBase):
    overridden: str = "derived"
    redeclared: int
    own: str = "own"


class DerivedTwice(Derived):
    model_config = SettingsConfigDict(env_prefix="TWICE_")
    own: str = "twice"


class Mixin(BaseModel):
    from_mixin: str = "mixin"


class WithMixin(Mixin, BaseSettings):
    model_config = ConfigDict(extra="ignore")
    beside: str = "beside"


class Conditional(BaseSettings):
    always: str = "always"
    if HOST == "prometheus":
        sometimes: str = "yes"


class Database(BaseModel):
    host: str = "db"
    port: int = 5432


class Nested(BaseSettings):
    model_config = SettingsConfigDict(env_nested_delimiter="__", env_prefix="N_")
    plain: str = "p"
    database: Database = Database()


# What cannot be known without running it.
class Unknown(BaseSettings):
    computed: list[str] = Field(default_factory=partial(list, "ab"))
    known: str = "known"


REQUIRED = {
    "REQUIRED": "r",
    "REQUIRED_FIELD": "1",
    "REQUIRED_TOO": "r",
    "SVC_REDECLARED": "1",
    "TWICE_REDECLARED": "1",
}
CLASSES = [
    Plain, Collections, Fields, Special, Environment, Prefixed, PrefixedByConstant, PrefixedByKeyword, PrefixedByClass,
    Sensitive, PrefixedAliases, Validated, ServiceBase, Derived, DerivedTwice, WithMixin, Conditional, Nested, Unknown,
]
