from twoagent_hook.cli import main

raise SystemExit(main())
