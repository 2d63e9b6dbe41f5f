"""Toy studies, recipes, records and sources that tests of several rooms share."""
