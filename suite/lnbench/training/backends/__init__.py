"""How a training step is computed: one network (`loop`), K dense ones (`stacked`), recorded ones (`recorded`)."""
