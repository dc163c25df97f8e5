"""Settings in the spellings of pydantic 1, which pydantic 2 brings along as `pydantic.v1`."""

from enum import Enum
from typing import ClassVar, Dict, List, Optional, Set

from pydantic.v1 import BaseModel, BaseSettings, Field, SecretStr, validator


class Kind(str, Enum):
    A = "a"
    B = "b"


class One(BaseSettings):
    plain: str = "plain"
    inferred = 5
    inferred_text = "text"
    coerced: str = 5
    optional: Optional[str]
    nullable: str = None
    env_field: str = Field("e", env="EXPLICIT_ENV")
    env_list: str = Field("l", env=["FIRST_ENV", "SECOND_ENV"])
    required: int = Field(..., env="REQUIRED_ONE")
    configured: str = "c"
    hosts: List[str] = ["a", "b"]
    names: Set[str] = {"x"}
    table: Dict[str, int] = {"a": 1}
    secret: SecretStr = SecretStr("s")
    kind: Kind = Kind.A
    number: int = Field(3, gt=0)
    constant: ClassVar[int] = 1
    _private: int = 2

    class Config:
        env_prefix = "one_"
        fields = {"configured": {"env": "CONFIGURED_ENV"}}

    @validator("hosts", pre=True)
    def split(cls, value):
        return value


class OneDerived(One):
    plain = "derived"

    class Config:
        case_sensitive = True


class OneKeyword(BaseSettings, env_prefix="kw_"):
    name: str = "n"


REQUIRED = {"REQUIRED_ONE": "1"}
CLASSES = [One, OneDerived, OneKeyword]
