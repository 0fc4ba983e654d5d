"""Lists of members from elsewhere: which files, which lines, which columns, and what each line says."""
