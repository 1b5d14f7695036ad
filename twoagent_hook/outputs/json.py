"""JSON, version 1: the payload as it is, on one line."""

import json
from collections.abc import Mapping
from typing import Any


def render(payload: Mapping[str, Any]) -> str:
    return json.dumps(payload, ensure_ascii=True) + "\n"
