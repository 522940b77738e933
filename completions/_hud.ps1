
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'hud' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'hud'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'hud' {
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--very-verbose', '--very-verbose', [CompletionResultType]::ParameterName, 'The same as -vv')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('eval', 'eval', [CompletionResultType]::ParameterValue, 'Run tasks with an agent, grade them and report')
            [CompletionResult]::new('init', 'init', [CompletionResultType]::ParameterValue, 'Create an environment with tasks from a template')
            [CompletionResult]::new('analyze', 'analyze', [CompletionResultType]::ParameterValue, 'Show what an environment offers: tools, scenarios, resources, prompts')
            [CompletionResult]::new('debug', 'debug', [CompletionResultType]::ParameterValue, 'Check that an environment works, stage by stage')
            [CompletionResult]::new('scenario', 'scenario', [CompletionResultType]::ParameterValue, 'Drive the scenarios of an environment by hand')
            [CompletionResult]::new('task', 'task', [CompletionResultType]::ParameterValue, 'Drive the scenarios of an environment by hand')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Serve an environment to others')
            [CompletionResult]::new('set', 'set', [CompletionResultType]::ParameterValue, 'Save keys and settings in ~/.hud/.env')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script of a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print or write man pages')
            break
        }
        'hud;eval' {
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'The model, `oracle`, or `scripted:FILE.yaml`')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'The model, `oracle`, or `scripted:FILE.yaml`')
            [CompletionResult]::new('--agent', '--agent', [CompletionResultType]::ParameterName, 'Force the wire protocol')
            [CompletionResult]::new('--base-url', '--base-url', [CompletionResultType]::ParameterName, 'Where the model is served, such as http://localhost:8000/v1')
            [CompletionResult]::new('--judge-model', '--judge-model', [CompletionResultType]::ParameterName, 'The model for graders that judge with one [default: the grader''s own]')
            [CompletionResult]::new('--task-ids', '--task-ids', [CompletionResultType]::ParameterName, 'Only these tasks: slugs or positions (from 0), separated by commas')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'Only the first N of the chosen tasks')
            [CompletionResult]::new('--group', '--group', [CompletionResultType]::ParameterName, 'Run each task N times [default: 1]')
            [CompletionResult]::new('--group-size', '--group-size', [CompletionResultType]::ParameterName, 'Run each task N times [default: 1]')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Seed that every rollout''s own seed is derived from [default: random, kept in job.json]')
            [CompletionResult]::new('--max-steps', '--max-steps', [CompletionResultType]::ParameterName, 'Model calls per rollout, -1 for no limit [default: 10]')
            [CompletionResult]::new('--allowed-tools', '--allowed-tools', [CompletionResultType]::ParameterName, 'Show the agent only these tools: names or patterns (*, ?), separated by commas')
            [CompletionResult]::new('--disallowed-tools', '--disallowed-tools', [CompletionResultType]::ParameterName, 'Hide these tools from the agent')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Set an agent setting, such as max_tokens=4096; agent.KEY and TYPE.KEY (claude.temperature=0) work too')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Set an agent setting, such as max_tokens=4096; agent.KEY and TYPE.KEY (claude.temperature=0) work too')
            [CompletionResult]::new('--max-concurrent', '--max-concurrent', [CompletionResultType]::ParameterName, 'Rollouts at once [default: 30]')
            [CompletionResult]::new('--rollout-timeout', '--rollout-timeout', [CompletionResultType]::ParameterName, 'Time of a whole rollout, such as 90, 90s, 5m or 1h; the state is then graded [default: none]')
            [CompletionResult]::new('--phase-timeout', '--phase-timeout', [CompletionResultType]::ParameterName, 'Time of each other phase of a rollout: connect, setup, grade [default: 5m]')
            [CompletionResult]::new('--tool-timeout', '--tool-timeout', [CompletionResultType]::ParameterName, 'Time of one tool call [default: 2m]')
            [CompletionResult]::new('--model-timeout', '--model-timeout', [CompletionResultType]::ParameterName, 'Time of one model call [default: 10m]')
            [CompletionResult]::new('--rollout-tokens', '--rollout-tokens', [CompletionResultType]::ParameterName, 'Tokens of one rollout [default: none]')
            [CompletionResult]::new('--python', '--python', [CompletionResultType]::ParameterName, 'The Python interpreter of environments [default: the project''s .venv, $VIRTUAL_ENV, python3]')
            [CompletionResult]::new('--min-reward', '--min-reward', [CompletionResultType]::ParameterName, 'Exit with code 4 when the mean reward is below this')
            [CompletionResult]::new('--success-threshold', '--success-threshold', [CompletionResultType]::ParameterName, 'A reward above this is a success [default: 0.7]')
            [CompletionResult]::new('--runs-dir', '--runs-dir', [CompletionResultType]::ParameterName, 'Where run directories are made [default: .hud/runs]')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Attach the job to a platform taskset')
            [CompletionResult]::new('--taskset', '--taskset', [CompletionResultType]::ParameterName, 'Attach the job to a platform taskset')
            [CompletionResult]::new('--from-json', '--from-json', [CompletionResultType]::ParameterName, 'Replay a platform job''s configuration')
            [CompletionResult]::new('--runtime', '--runtime', [CompletionResultType]::ParameterName, 'Where environments run')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Call the model through the HUD gateway (needs HUD_API_KEY)')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'Call the model through the HUD gateway (needs HUD_API_KEY)')
            [CompletionResult]::new('--no-gateway', '--no-gateway', [CompletionResultType]::ParameterName, 'Do not use the gateway although a file says so')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Run all tasks (the default; overrides task_ids and limit of hud.toml)')
            [CompletionResult]::new('--full', '--full', [CompletionResultType]::ParameterName, 'All tasks, --auto-respond, and 100 steps unless --max-steps is given')
            [CompletionResult]::new('--auto-respond', '--auto-respond', [CompletionResultType]::ParameterName, 'Let a model decide whether an agent that stopped calling tools should go on')
            [CompletionResult]::new('--no-auto-respond', '--no-auto-respond', [CompletionResultType]::ParameterName, 'The opposite, when a file or --full turns it on')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'JSON Lines on stdout instead of a report; the last is the summary')
            [CompletionResult]::new('--show-config', '--show-config', [CompletionResultType]::ParameterName, 'Print each setting and where it came from, and stop')
            [CompletionResult]::new('--no-quiet', '--no-quiet', [CompletionResultType]::ParameterName, 'Talk although a file says quiet = true')
            [CompletionResult]::new('--no-verbose', '--no-verbose', [CompletionResultType]::ParameterName, 'Do not say more although a file says verbose = true')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Accepted for scripts written for other tools: hud starts without asking')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Accepted for scripts written for other tools: hud starts without asking')
            [CompletionResult]::new('--remote', '--remote', [CompletionResultType]::ParameterName, 'Run on the platform')
            [CompletionResult]::new('--byok', '--byok', [CompletionResultType]::ParameterName, 'Use the caller''s keys on the platform')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--very-verbose', '--very-verbose', [CompletionResultType]::ParameterName, 'The same as -vv')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'hud;init' {
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'What to start from')
            [CompletionResult]::new('--template', '--template', [CompletionResultType]::ParameterName, 'What to start from')
            [CompletionResult]::new('--preset', '--preset', [CompletionResultType]::ParameterName, 'What to start from')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Create the folder in here')
            [CompletionResult]::new('--dir', '--dir', [CompletionResultType]::ParameterName, 'Create the folder in here')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Overwrite files that exist')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Overwrite files that exist')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--very-verbose', '--very-verbose', [CompletionResultType]::ParameterName, 'The same as -vv')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'hud;analyze' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'MCP servers out of a JSON or YAML file: {"mcpServers": {NAME: {"command" or "url": …}}}, or the names alone')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'MCP servers out of a JSON or YAML file: {"mcpServers": {NAME: {"command" or "url": …}}}, or the names alone')
            [CompletionResult]::new('--api-key', '--api-key', [CompletionResultType]::ParameterName, 'The bearer token for a URL [default: $HUD_SERVE_KEY for a server on this machine]')
            [CompletionResult]::new('--python', '--python', [CompletionResultType]::ParameterName, 'The Python interpreter [default: the project''s .venv, $VIRTUAL_ENV, python3]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time of each step, such as 30, 30s or 2m')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'How to print it')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print it')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'The same as --format json')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--very-verbose', '--very-verbose', [CompletionResultType]::ParameterName, 'The same as -vv')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'hud;debug' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'MCP servers out of a JSON or YAML file: {"mcpServers": {NAME: {"command" or "url": …}}}, or the names alone')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'MCP servers out of a JSON or YAML file: {"mcpServers": {NAME: {"command" or "url": …}}}, or the names alone')
            [CompletionResult]::new('--api-key', '--api-key', [CompletionResultType]::ParameterName, 'The bearer token for a URL [default: $HUD_SERVE_KEY for a server on this machine]')
            [CompletionResult]::new('--python', '--python', [CompletionResultType]::ParameterName, 'The Python interpreter [default: the project''s .venv, $VIRTUAL_ENV, python3]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time of each step, such as 30, 30s or 2m')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Stop after this phase')
            [CompletionResult]::new('--max-phase', '--max-phase', [CompletionResultType]::ParameterName, 'Stop after this phase')
            [CompletionResult]::new('--call', '--call', [CompletionResultType]::ParameterName, 'The tool to call [default: one annotated as read-only whose arguments can be made up]')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Its arguments, as a JSON object')
            [CompletionResult]::new('--args', '--args', [CompletionResultType]::ParameterName, 'Its arguments, as a JSON object')
            [CompletionResult]::new('--scenario', '--scenario', [CompletionResultType]::ParameterName, 'The scenario to set up and grade [default: that of the first task, else one that needs no arguments]')
            [CompletionResult]::new('--arg', '--arg', [CompletionResultType]::ParameterName, 'An argument of the scenario (repeatable)')
            [CompletionResult]::new('-A', '-A ', [CompletionResultType]::ParameterName, 'The answer to submit [default: empty]')
            [CompletionResult]::new('--answer', '--answer', [CompletionResultType]::ParameterName, 'The answer to submit [default: empty]')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object for each check, and a summary')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--very-verbose', '--very-verbose', [CompletionResultType]::ParameterName, 'The same as -vv')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'hud;scenario' {
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--very-verbose', '--very-verbose', [CompletionResultType]::ParameterName, 'The same as -vv')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the scenarios with their arguments')
            [CompletionResult]::new('setup', 'setup', [CompletionResultType]::ParameterValue, 'Set a scenario up, print its prompt and close the copy')
            [CompletionResult]::new('start', 'start', [CompletionResultType]::ParameterValue, 'Set a scenario up, print its prompt and close the copy')
            [CompletionResult]::new('grade', 'grade', [CompletionResultType]::ParameterValue, 'Set a scenario up, submit an answer and print the evaluation as JSON')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'As grade, with the prompt on stderr')
            break
        }
        'hud;task' {
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--very-verbose', '--very-verbose', [CompletionResultType]::ParameterName, 'The same as -vv')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the scenarios with their arguments')
            [CompletionResult]::new('setup', 'setup', [CompletionResultType]::ParameterValue, 'Set a scenario up, print its prompt and close the copy')
            [CompletionResult]::new('start', 'start', [CompletionResultType]::ParameterValue, 'Set a scenario up, print its prompt and close the copy')
            [CompletionResult]::new('grade', 'grade', [CompletionResultType]::ParameterValue, 'Set a scenario up, submit an answer and print the evaluation as JSON')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'As grade, with the prompt on stderr')
            break
        }
        'hud;scenario;list' {
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--source', '--source', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--python', '--python', [CompletionResultType]::ParameterName, 'The Python interpreter [default: the project''s .venv, $VIRTUAL_ENV, python3]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time of each phase, such as 90, 90s or 5m')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object per scenario')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--very-verbose', '--very-verbose', [CompletionResultType]::ParameterName, 'The same as -vv')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'hud;task;list' {
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--source', '--source', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--python', '--python', [CompletionResultType]::ParameterName, 'The Python interpreter [default: the project''s .venv, $VIRTUAL_ENV, python3]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time of each phase, such as 90, 90s or 5m')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object per scenario')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--very-verbose', '--very-verbose', [CompletionResultType]::ParameterName, 'The same as -vv')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'hud;scenario;setup' {
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Arguments of the scenario, as a JSON object')
            [CompletionResult]::new('--args', '--args', [CompletionResultType]::ParameterName, 'Arguments of the scenario, as a JSON object')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--source', '--source', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--python', '--python', [CompletionResultType]::ParameterName, 'The Python interpreter [default: the project''s .venv, $VIRTUAL_ENV, python3]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time of each phase, such as 90, 90s or 5m')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'The whole prompt as JSON, roles included')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--very-verbose', '--very-verbose', [CompletionResultType]::ParameterName, 'The same as -vv')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'hud;scenario;start' {
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Arguments of the scenario, as a JSON object')
            [CompletionResult]::new('--args', '--args', [CompletionResultType]::ParameterName, 'Arguments of the scenario, as a JSON object')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--source', '--source', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--python', '--python', [CompletionResultType]::ParameterName, 'The Python interpreter [default: the project''s .venv, $VIRTUAL_ENV, python3]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time of each phase, such as 90, 90s or 5m')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'The whole prompt as JSON, roles included')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--very-verbose', '--very-verbose', [CompletionResultType]::ParameterName, 'The same as -vv')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'hud;task;setup' {
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Arguments of the scenario, as a JSON object')
            [CompletionResult]::new('--args', '--args', [CompletionResultType]::ParameterName, 'Arguments of the scenario, as a JSON object')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--source', '--source', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--python', '--python', [CompletionResultType]::ParameterName, 'The Python interpreter [default: the project''s .venv, $VIRTUAL_ENV, python3]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time of each phase, such as 90, 90s or 5m')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'The whole prompt as JSON, roles included')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--very-verbose', '--very-verbose', [CompletionResultType]::ParameterName, 'The same as -vv')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'hud;task;start' {
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Arguments of the scenario, as a JSON object')
            [CompletionResult]::new('--args', '--args', [CompletionResultType]::ParameterName, 'Arguments of the scenario, as a JSON object')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--source', '--source', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--python', '--python', [CompletionResultType]::ParameterName, 'The Python interpreter [default: the project''s .venv, $VIRTUAL_ENV, python3]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time of each phase, such as 90, 90s or 5m')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'The whole prompt as JSON, roles included')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--very-verbose', '--very-verbose', [CompletionResultType]::ParameterName, 'The same as -vv')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'hud;scenario;grade' {
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Arguments of the scenario, as a JSON object')
            [CompletionResult]::new('--args', '--args', [CompletionResultType]::ParameterName, 'Arguments of the scenario, as a JSON object')
            [CompletionResult]::new('-A', '-A ', [CompletionResultType]::ParameterName, 'The answer to submit [default: empty]')
            [CompletionResult]::new('--answer', '--answer', [CompletionResultType]::ParameterName, 'The answer to submit [default: empty]')
            [CompletionResult]::new('--answer-file', '--answer-file', [CompletionResultType]::ParameterName, 'Read the answer from a file')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--source', '--source', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--python', '--python', [CompletionResultType]::ParameterName, 'The Python interpreter [default: the project''s .venv, $VIRTUAL_ENV, python3]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time of each phase, such as 90, 90s or 5m')
            [CompletionResult]::new('--judge-model', '--judge-model', [CompletionResultType]::ParameterName, 'The model for graders that judge with one [default: the grader''s own]')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'On one line')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--very-verbose', '--very-verbose', [CompletionResultType]::ParameterName, 'The same as -vv')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'hud;task;grade' {
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Arguments of the scenario, as a JSON object')
            [CompletionResult]::new('--args', '--args', [CompletionResultType]::ParameterName, 'Arguments of the scenario, as a JSON object')
            [CompletionResult]::new('-A', '-A ', [CompletionResultType]::ParameterName, 'The answer to submit [default: empty]')
            [CompletionResult]::new('--answer', '--answer', [CompletionResultType]::ParameterName, 'The answer to submit [default: empty]')
            [CompletionResult]::new('--answer-file', '--answer-file', [CompletionResultType]::ParameterName, 'Read the answer from a file')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--source', '--source', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--python', '--python', [CompletionResultType]::ParameterName, 'The Python interpreter [default: the project''s .venv, $VIRTUAL_ENV, python3]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time of each phase, such as 90, 90s or 5m')
            [CompletionResult]::new('--judge-model', '--judge-model', [CompletionResultType]::ParameterName, 'The model for graders that judge with one [default: the grader''s own]')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'On one line')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--very-verbose', '--very-verbose', [CompletionResultType]::ParameterName, 'The same as -vv')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'hud;scenario;run' {
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Arguments of the scenario, as a JSON object')
            [CompletionResult]::new('--args', '--args', [CompletionResultType]::ParameterName, 'Arguments of the scenario, as a JSON object')
            [CompletionResult]::new('-A', '-A ', [CompletionResultType]::ParameterName, 'The answer to submit [default: empty]')
            [CompletionResult]::new('--answer', '--answer', [CompletionResultType]::ParameterName, 'The answer to submit [default: empty]')
            [CompletionResult]::new('--answer-file', '--answer-file', [CompletionResultType]::ParameterName, 'Read the answer from a file')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--source', '--source', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--python', '--python', [CompletionResultType]::ParameterName, 'The Python interpreter [default: the project''s .venv, $VIRTUAL_ENV, python3]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time of each phase, such as 90, 90s or 5m')
            [CompletionResult]::new('--judge-model', '--judge-model', [CompletionResultType]::ParameterName, 'The model for graders that judge with one [default: the grader''s own]')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'On one line')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--very-verbose', '--very-verbose', [CompletionResultType]::ParameterName, 'The same as -vv')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'hud;task;run' {
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Arguments of the scenario, as a JSON object')
            [CompletionResult]::new('--args', '--args', [CompletionResultType]::ParameterName, 'Arguments of the scenario, as a JSON object')
            [CompletionResult]::new('-A', '-A ', [CompletionResultType]::ParameterName, 'The answer to submit [default: empty]')
            [CompletionResult]::new('--answer', '--answer', [CompletionResultType]::ParameterName, 'The answer to submit [default: empty]')
            [CompletionResult]::new('--answer-file', '--answer-file', [CompletionResultType]::ParameterName, 'Read the answer from a file')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--source', '--source', [CompletionResultType]::ParameterName, 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder''s task file]')
            [CompletionResult]::new('--python', '--python', [CompletionResultType]::ParameterName, 'The Python interpreter [default: the project''s .venv, $VIRTUAL_ENV, python3]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time of each phase, such as 90, 90s or 5m')
            [CompletionResult]::new('--judge-model', '--judge-model', [CompletionResultType]::ParameterName, 'The model for graders that judge with one [default: the grader''s own]')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'On one line')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--very-verbose', '--very-verbose', [CompletionResultType]::ParameterName, 'The same as -vv')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'hud;serve' {
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--very-verbose', '--very-verbose', [CompletionResultType]::ParameterName, 'The same as -vv')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('mcp', 'mcp', [CompletionResultType]::ParameterValue, 'Serve over MCP: every client works in a copy of its own')
            break
        }
        'hud;serve;mcp' {
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'The address to listen on')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'The port to listen on; 0 takes a free one')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'The port to listen on; 0 takes a free one')
            [CompletionResult]::new('--api-key', '--api-key', [CompletionResultType]::ParameterName, 'The bearer token that clients must send (better: the variable `HUD_SERVE_KEY`)')
            [CompletionResult]::new('--allowed-host', '--allowed-host', [CompletionResultType]::ParameterName, 'A name by which clients may reach the server, beside those of this machine (repeatable)')
            [CompletionResult]::new('--python', '--python', [CompletionResultType]::ParameterName, 'The Python to run the environment with')
            [CompletionResult]::new('--max-sessions', '--max-sessions', [CompletionResultType]::ParameterName, 'Refuse more sessions than this at once')
            [CompletionResult]::new('--idle-timeout', '--idle-timeout', [CompletionResultType]::ParameterName, 'Close a session that nobody used for this long')
            [CompletionResult]::new('--logs', '--logs', [CompletionResultType]::ParameterName, 'Keep what the copies print in this folder')
            [CompletionResult]::new('--stdio', '--stdio', [CompletionResultType]::ParameterName, 'Speak over stdin and stdout, with one client, instead of HTTP')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--very-verbose', '--very-verbose', [CompletionResultType]::ParameterName, 'The same as -vv')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'hud;set' {
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--very-verbose', '--very-verbose', [CompletionResultType]::ParameterName, 'The same as -vv')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'hud;completions' {
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--very-verbose', '--very-verbose', [CompletionResultType]::ParameterName, 'The same as -vv')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'hud;man' {
            [CompletionResult]::new('--dir', '--dir', [CompletionResultType]::ParameterName, 'Write the pages of all commands into this folder instead of printing the page of hud')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr; twice (-vv) for debug logs')
            [CompletionResult]::new('--very-verbose', '--very-verbose', [CompletionResultType]::ParameterName, 'The same as -vv')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors and results')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
