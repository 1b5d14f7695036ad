"""One file a subcommand: build the edges, call the core, print, return the exit code."""
