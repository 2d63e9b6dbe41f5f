"""What must hold between the blocks of a study, beyond the form of each."""
