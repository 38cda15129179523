"""What every model runs on: devices, threads, memory, weight files, cancellation."""
