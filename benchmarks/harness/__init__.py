"""What benchmarks/quality.py is made of: read plan.py, then cell.py."""
