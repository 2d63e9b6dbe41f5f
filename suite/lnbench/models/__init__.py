"""Networks: one file per family. The tables of layers are plain data, so that a run can be priced without torch."""
