"""Hostile files: mutated and truncated models and data, given to the command line; `python -m tests.hostile`.

seeds.py makes sound files; mutate.py damages them; judge.py gives each to the command line; target.py is a
process of atheris, which keeps those that reach new code of ours as seeds; __main__.py runs these.
What was wrong once is in regressions/, and replayed by test_hostile.py.
"""
