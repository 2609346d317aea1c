"""The command line: one file a command. What a command prints is for people; nothing here is imported."""
