"""How well losses tell mislabeled examples from clean ones: AUL, its mixture, its measures (docs/statistics.md)."""
