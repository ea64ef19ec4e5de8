"""The JSON Schema of the configuration file, for editors (draft 2020-12)."""

from __future__ import annotations

from app.config.models import Config
from providers.types import Json, JsonObject

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> JsonObject:
    """Give the schema of `config.yaml`: what an editor may accept, since a text may also be interpolated."""
    made: JsonObject = Config.model_json_schema()
    sections = [made, *made["$defs"].values()]
    for section in sections:
        for name, setting in section["properties"].items():
            section["properties"][name] = _adapted(setting)
    made["$defs"]["Credential"] = {
        "anyOf": [_secret_of(made["$defs"]["Credential"]), made["$defs"]["Credential"]]
    }
    return {"$schema": DIALECT, **made, "title": "Switchgear configuration", "patternProperties": {"^x-": {}}}


def _adapted(setting: JsonObject) -> JsonObject:
    """Let a key stand with nothing behind it, and a choice be interpolated."""
    described = {key: setting[key] for key in ("description", "default") if key in setting}
    rest: Json = {key: value for key, value in setting.items() if key not in {*described, "title"}}
    if "$ref" in rest.get("additionalProperties", {}):
        rest["additionalProperties"] = {"anyOf": [rest["additionalProperties"], {"type": "null"}]}
    alternatives = rest.get("anyOf", [rest])
    if "enum" in rest:
        alternatives = [rest, {"type": "string", "pattern": r"\$\{"}]
    elif _may_be_empty(rest):
        alternatives = [rest, {"type": "null"}]
    return {**described, **({"anyOf": alternatives} if len(alternatives) > 1 else rest)}


def _may_be_empty(setting: JsonObject) -> bool:
    return "$ref" in setting or setting.get("type") in ("array", "object")


def _secret_of(credential: JsonObject) -> JsonObject:
    key: JsonObject = credential["properties"]["key"]
    return {"anyOf": key["anyOf"], "description": key["description"]}
