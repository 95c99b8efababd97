from advtool.cli.main import main

main()
