"""How good a quantized model is: data with labels, metrics, agreement with float, and what could be tried."""
