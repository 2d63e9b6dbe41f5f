"""Methods of learning with noisy labels: one file each."""
