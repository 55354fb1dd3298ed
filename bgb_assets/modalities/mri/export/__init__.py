"""Trained models for other runtimes: ONNX files, each judged by the lesions it still finds."""
