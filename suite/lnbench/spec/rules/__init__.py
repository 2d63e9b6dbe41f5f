"""What must be true between the blocks of a study, beyond the form of each."""
