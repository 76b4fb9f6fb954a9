"""What `dev.py` is made of. Standard library only, and the product never imports it."""
