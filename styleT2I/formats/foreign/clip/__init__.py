"""CLIPs of other projects: OpenAI's, open_clip's and Hugging Face's."""
