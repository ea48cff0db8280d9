"""The hunter: random valid models, each run by every engine; `python -m tests.hunter --n 1000`.

graphs.py makes quantized graphs straight in the IR (build.py, windows.py, elementwise.py), keras_specs.py
makes Keras models; draws.py draws them; check.py runs one case everywhere; hunt.py runs many; shrink.py
makes what fails smaller; regressions.py keeps it.
"""
