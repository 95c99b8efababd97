"""The command line: one short file a subcommand. The only code that knows a terminal."""
