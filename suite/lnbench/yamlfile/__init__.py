"""YAML files read safely, with the place of every key, and their errors as lines that a person can act on."""
