"""Toy studies, recipes, records and sources that tests of several rooms share: no test repeats a study of its own.

`project` has the recipe that all studies of digits share, and writes their folders. `small_runs`, `trained_study` and
`line_study` are trained; the runs of the worlds (`judged_world`, `kinds_world`, `report_world`, `loss_curve_world`) are
written down instead; `edited_study` is there to be broken; `claims_page` reads the examples of docs/claims.md.
"""
