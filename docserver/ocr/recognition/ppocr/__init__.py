"""Child side: the second engine: PP-OCR's models on ONNX Runtime. It finds lines, and reads them."""
