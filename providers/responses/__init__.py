"""OpenAI's Responses dialect (https://platform.openai.com/docs/api-reference/responses), for models that speak no other."""
