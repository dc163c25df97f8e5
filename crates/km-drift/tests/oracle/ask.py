"""Asks the real library. `names MODULE` prints names and defaults of every field, `values FILE` what it makes of
the texts of a table of types and texts."""

import importlib
import json
import os
import sys
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path


def plain(value):
    if isinstance(value, Enum):
        return value.value
    if hasattr(value, "get_secret_value"):
        return plain(value.get_secret_value())
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (set, frozenset)):
        return {"set": sorted((plain(item) for item in value), key=repr)}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if hasattr(value, "model_fields"):
        return {"model": type(value).__name__}
    if isinstance(value, Path) or type(value).__name__.endswith(("Url", "Dsn", "UUID")):
        return str(value)
    raise TypeError(type(value))


def fields_two(cls, required):
    from pydantic_settings.sources import EnvSettingsSource

    source = EnvSettingsSource(cls)
    env = {name: source._extract_field_info(field, name) for name, field in cls.model_fields.items()}
    needed = {known.lower() for name in env if cls.model_fields[name].is_required() for _, known, _ in env[name]}
    instance = with_required(cls, {name: text for name, text in required.items() if name.lower() in needed})
    for name, field in cls.model_fields.items():
        yield name, [known for _, known, _ in env[name]], field.is_required(), getattr(instance, name)


def fields_one(cls, required):
    instance = with_required(cls, required)
    for name, field in cls.__fields__.items():
        yield name, sorted(field.field_info.extra["env_names"]), bool(field.required), getattr(instance, name)


def with_required(cls, required):
    """An instance with the required variables set in every case that a class may want."""
    os.environ.update(required)
    os.environ.update({name.lower(): value for name, value in required.items()})
    try:
        return cls()
    finally:
        for name in required:
            os.environ.pop(name, None)
            os.environ.pop(name.lower(), None)


def names(module):
    module = importlib.import_module(module)
    fields = fields_two if hasattr(module.CLASSES[0], "model_fields") else fields_one
    answer = []
    for cls in module.CLASSES:
        for name, env, required, value in fields(cls, module.REQUIRED):
            default = None if required else plain(value)
            answer.append({"class": cls.__name__, "field": name, "names": env, "required": required, "default": default})
    return answer


def values(file):
    module = importlib.import_module(file)
    table = json.load(open(f"{file}.json"))
    answer = []
    for name, text in table:
        cls = getattr(module, name)
        os.environ["X"] = text
        try:
            answer.append({"value": plain(cls().x)})
        except Exception as error:
            found = error.errors() if hasattr(error, "errors") else []
            unset = [one["loc"] for one in found if "missing" in one["type"]] == [("x",)]
            answer.append({"unset": True} if unset else {"refused": str(error)})
        finally:
            os.environ.pop("X", None)
    return answer


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    json.dump({"names": names, "values": values}[sys.argv[1]](sys.argv[2]), sys.stdout)
