"""What the benchmarks share: plan, running and table of quality.py, device of gpu.py, machine."""
