"""The workers of one machine: each can ask the others, so that whichever is asked shows and changes all."""
