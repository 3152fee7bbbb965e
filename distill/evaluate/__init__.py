"""The gate: separate numbers about one GGUF file, and one verdict."""
