"""A base in another file, with a constant from a third one."""

from pydantic_settings import BaseSettings, SettingsConfigDict

from . import names
from .names import PREFIX as THE_PREFIX


class ServiceBase(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=THE_PREFIX, extra="ignore")

    region: str = names.REGION
    replicas: int = 1
    overridden: str = "base"
    redeclared: int = 5
