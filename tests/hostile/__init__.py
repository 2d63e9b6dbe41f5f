"""Makers of what is broken or hostile, seeded, and the tests that nothing comes of it but one clear line."""
