"""A model provider of LiteLLM's that approves whatever it gets, with the right receipt; runs in its interpreter."""

import json
import re
from typing import Any

import litellm


class Scripted(litellm.CustomLLM):
    async def acompletion(self, *values: Any, messages: list[dict[str, Any]], **others: Any) -> litellm.ModelResponse:
        text = next(message["content"] for message in messages if message["role"] == "user")
        receipt = "-".join(re.findall(r"^receipt-[ab]: (\w+)$", text, re.MULTILINE))
        verdict = {"verdict": "approve", "summary": "A summary.", "findings": [], "receipt": receipt}
        return await litellm.acompletion(
            model="openai/gpt-5.5", messages=messages, mock_response=json.dumps(verdict), api_key="sk-fake"
        )


scripted = Scripted()
