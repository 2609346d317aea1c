"""The measured run of `make chaos`: real servers under load while their provider misbehaves. See `run.py`."""
