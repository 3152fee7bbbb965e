"""Go templates and the Modelfile, one per model family."""
