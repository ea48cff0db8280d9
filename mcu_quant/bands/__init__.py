"""Several layers run together, some rows at a time, so that tensors between them need not be whole.

rows.py says which rows a node reads, schedule.py what each band makes and keeps, program.py which calls
that takes and where their operands are, kernel.py what it is for the planner and the code generator;
segments.py finds the layers that can run so.
"""
