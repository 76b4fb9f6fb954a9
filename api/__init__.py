"""The IDL, its compiler and the golden vectors. Imports nothing of the other parts."""
