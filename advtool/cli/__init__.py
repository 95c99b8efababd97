"""The command line: one short file per subcommand. The only code that knows a terminal."""
