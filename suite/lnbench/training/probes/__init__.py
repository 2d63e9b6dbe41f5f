"""What a training measures beside its curves, where its recipe's `probes` ask for it."""
