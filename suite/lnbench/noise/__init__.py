"""Label noise: which label each training example carries."""
