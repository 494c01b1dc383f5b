"""Configurations: frozen, checked, read from YAML, and wrong in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from noble.files import read_yaml, shortened


class Frozen(BaseModel):
    """A configuration: unknown keys are errors, numbers are finite, and nothing changes after it is made."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a YAML file.

        Raises:
            ValueError: if it is missing, is not YAML, or has an unknown key or a bad value; one sentence says which.
        """
        try:
            content = read_yaml(path, expected="a YAML file of settings")
        except FileNotFoundError as error:
            raise ValueError(f"{path} cannot be read (No such file or directory); expected a YAML file.") from error
        if content is None:  # an empty file, or one of comments only: all defaults
            content = {}
        if not isinstance(content, dict):
            raise ValueError(f"{path} holds {type(content).__name__}; expected keys and values such as `seed: 0`.")
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise ValueError(f"{path}: {describe_problems(cls, error)}") from error


def describe_problems(model: type[BaseModel] | None, error: ValidationError) -> str:
    """One sentence on what a configuration got wrong, naming the keys; with the model, also those it knows."""
    problems = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            known = f"; expected one of {', '.join(_keys_beside(model, item['loc']))}" if model else ""
            problems.append(f"unknown key {key}{known}")
        elif item["type"] == "missing":
            problems.append(f"the key {key} is missing")
        else:
            message = item["msg"].removeprefix("Value error, ")
            problems.append(
                f"{key} is {shortened(item['input'])}: {message}" if key and item["type"] != "value_error" else message
            )
    return "; ".join(problems) + "."


def _keys_beside(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Keys that the (nested) configuration at a location knows; a location names fields, indices and kinds of a union."""
    candidates = [model]
    for part in location[:-1]:
        inner = [found for candidate in candidates for found in _models_under(candidate, part)]
        of_kind = [candidate for candidate in candidates if _kind_of(candidate) == part]
        candidates = inner or of_kind or candidates
    return list(dict.fromkeys(key for candidate in candidates for key in candidate.model_fields))


def _models_under(model: type[BaseModel], part: int | str) -> list[type[BaseModel]]:
    """The configurations that may stand under a key."""
    return _models_in(model.model_fields[part].annotation) if part in model.model_fields else []


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """The configurations in a type, also in unions and sequences."""
    if arguments := get_args(annotation):
        return [found for argument in arguments for found in _models_in(argument)]
    return [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []


def _kind_of(model: type[BaseModel]) -> Any:
    """What tells a member of a union from the others."""
    return model.model_fields["kind"].default if "kind" in model.model_fields else None
