"""Google's Gemini dialect (https://ai.google.dev/api/generate-content), version v1beta."""
