"""What kernels refuse: for each rule of a `refusal`, a node just outside of it and one just inside.

One module for each family; tests/kernels/test_guards.py runs them, and says which rule has none.
"""
