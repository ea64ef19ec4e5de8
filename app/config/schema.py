"""The JSON Schema of the configuration file, for editors (draft 2020-12)."""

from __future__ import annotations

from app.config.models import Config
from providers.types import Json, JsonObject

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_SHORT_FORMS = {
    "Credential": "key",
    "ModelSettings": "targets",
    "WeightedTarget": "target",
    "Fallback": "default",
}
"""Sections in whose place one of their settings may stand."""
_ALONE = ({"$ref": "#/$defs/Budget"},)
"""What may stand in place of a list of it."""


def schema() -> JsonObject:
    """Give the schema of `config.yaml`: what an editor may accept, since a text may also be interpolated."""
    made: JsonObject = Config.model_json_schema()
    sections = [made, *made["$defs"].values()]
    for section in sections:
        for name, setting in section["properties"].items():
            section["properties"][name] = _adapted(setting)
    for name, setting in _SHORT_FORMS.items():
        section = made["$defs"][name]
        made["$defs"][name] = {"anyOf": [_alone(section["properties"][setting]), section]}
    return {"$schema": DIALECT, **made, "title": "Switchgear configuration", "patternProperties": {"^x-": {}}}


def _adapted(setting: JsonObject) -> JsonObject:
    """Let a key stand with nothing behind it, and a choice be interpolated."""
    described = {key: setting[key] for key in ("description", "default") if key in setting}
    rest: Json = {key: value for key, value in setting.items() if key not in {*described, "title"}}
    if "$ref" in rest.get("additionalProperties", {}):
        rest["additionalProperties"] = {"anyOf": [rest["additionalProperties"], {"type": "null"}]}
    alternatives = rest.get("anyOf", [rest])
    if rest.get("items") in _ALONE:
        alternatives = [rest["items"], rest]
    elif "enum" in rest:
        alternatives = [rest, {"type": "string", "pattern": r"\$\{"}]
    elif _may_be_empty(rest):
        alternatives = [rest, {"type": "null"}]
    return {**described, **({"anyOf": alternatives} if len(alternatives) > 1 else rest)}


def _may_be_empty(setting: JsonObject) -> bool:
    return "$ref" in setting or setting.get("type") in ("array", "object")


def _alone(setting: JsonObject) -> JsonObject:
    """Give the setting as it is written in place of its section."""
    alternatives = setting.get("anyOf", [{key: setting[key] for key in setting if key != "title"}])
    forms = [form for form in alternatives if form != {"type": "null"}]
    return {"anyOf": forms, "description": setting["description"]}
