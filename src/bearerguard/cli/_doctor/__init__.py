"""What `doctor` looks at: `examination` and `probe` ask a provider, and all else is pure."""
