# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_hud_global_optspecs
    string join \n v/verbose very-verbose q/quiet h/help V/version
end

function __fish_hud_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_hud_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_hud_using_subcommand
    set -l cmd (__fish_hud_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c hud -n "__fish_hud_needs_command" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_needs_command" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_needs_command" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hud -n "__fish_hud_needs_command" -s V -l version -d 'Print version'
complete -c hud -n "__fish_hud_needs_command" -f -a "eval" -d 'Run tasks with an agent, grade them and report'
complete -c hud -n "__fish_hud_needs_command" -f -a "init" -d 'Create an environment with tasks from a template'
complete -c hud -n "__fish_hud_needs_command" -f -a "analyze" -d 'Show what an environment offers: tools, scenarios, resources, prompts'
complete -c hud -n "__fish_hud_needs_command" -f -a "dev" -d 'Serve an environment while you write it: save a file, and the next call runs the new code'
complete -c hud -n "__fish_hud_needs_command" -f -a "debug" -d 'Check that an environment works, stage by stage'
complete -c hud -n "__fish_hud_needs_command" -f -a "scenario" -d 'Drive the scenarios of an environment by hand'
complete -c hud -n "__fish_hud_needs_command" -f -a "task" -d 'Drive the scenarios of an environment by hand'
complete -c hud -n "__fish_hud_needs_command" -f -a "build" -d 'Build an environment\'s Docker image and its lock file'
complete -c hud -n "__fish_hud_needs_command" -f -a "push" -d 'Push the image of an environment to a registry'
complete -c hud -n "__fish_hud_needs_command" -f -a "serve" -d 'Serve an environment to others'
complete -c hud -n "__fish_hud_needs_command" -f -a "set" -d 'Save keys and settings in ~/.hud/.env'
complete -c hud -n "__fish_hud_needs_command" -f -a "completions" -d 'Print the completion script of a shell'
complete -c hud -n "__fish_hud_needs_command" -f -a "man" -d 'Print or write man pages'
complete -c hud -n "__fish_hud_using_subcommand eval" -s m -l model -d 'The model, `oracle`, or `scripted:FILE.yaml`' -r
complete -c hud -n "__fish_hud_using_subcommand eval" -l agent -d 'Force the wire protocol' -r -f -a "claude\t''
openai\t''
operator\t''
gemini\t''
gemini_cua\t''
openai_compatible\t''
oracle\t''
scripted\t''"
complete -c hud -n "__fish_hud_using_subcommand eval" -l base-url -d 'Where the model is served, such as http://localhost:8000/v1' -r
complete -c hud -n "__fish_hud_using_subcommand eval" -l judge-model -d 'The model for graders that judge with one [default: the grader\'s own]' -r
complete -c hud -n "__fish_hud_using_subcommand eval" -l task-ids -d 'Only these tasks: slugs or positions (from 0), separated by commas' -r
complete -c hud -n "__fish_hud_using_subcommand eval" -l limit -d 'Only the first N of the chosen tasks' -r
complete -c hud -n "__fish_hud_using_subcommand eval" -l group -l group-size -d 'Run each task N times [default: 1]' -r
complete -c hud -n "__fish_hud_using_subcommand eval" -l seed -d 'Seed that every rollout\'s own seed is derived from [default: random, kept in job.json]' -r
complete -c hud -n "__fish_hud_using_subcommand eval" -l max-steps -d 'Model calls per rollout, -1 for no limit [default: 10]' -r
complete -c hud -n "__fish_hud_using_subcommand eval" -l allowed-tools -d 'Show the agent only these tools: names or patterns (*, ?), separated by commas' -r
complete -c hud -n "__fish_hud_using_subcommand eval" -l disallowed-tools -d 'Hide these tools from the agent' -r
complete -c hud -n "__fish_hud_using_subcommand eval" -s c -l config -d 'Set an agent setting, such as max_tokens=4096; agent.KEY and TYPE.KEY (claude.temperature=0) work too' -r
complete -c hud -n "__fish_hud_using_subcommand eval" -l max-concurrent -d 'Rollouts at once [default: 30]' -r
complete -c hud -n "__fish_hud_using_subcommand eval" -l rollout-timeout -d 'Time of a whole rollout, such as 90, 90s, 5m or 1h; the state is then graded [default: none]' -r
complete -c hud -n "__fish_hud_using_subcommand eval" -l phase-timeout -d 'Time of each other phase of a rollout: connect, setup, grade [default: 5m]' -r
complete -c hud -n "__fish_hud_using_subcommand eval" -l tool-timeout -d 'Time of one tool call [default: 2m]' -r
complete -c hud -n "__fish_hud_using_subcommand eval" -l model-timeout -d 'Time of one model call [default: 10m]' -r
complete -c hud -n "__fish_hud_using_subcommand eval" -l rollout-tokens -d 'Tokens of one rollout [default: none]' -r
complete -c hud -n "__fish_hud_using_subcommand eval" -l python -d 'The Python interpreter of environments [default: the project\'s .venv, $VIRTUAL_ENV, python3]' -r -F
complete -c hud -n "__fish_hud_using_subcommand eval" -l min-reward -d 'Exit with code 4 when the mean reward is below this' -r
complete -c hud -n "__fish_hud_using_subcommand eval" -l success-threshold -d 'A reward above this is a success [default: 0.7]' -r
complete -c hud -n "__fish_hud_using_subcommand eval" -l runs-dir -d 'Where run directories are made [default: .hud/runs]' -r -F
complete -c hud -n "__fish_hud_using_subcommand eval" -s t -l taskset -d 'Attach the job to a platform taskset' -r
complete -c hud -n "__fish_hud_using_subcommand eval" -l from-json -d 'Replay a platform job\'s configuration' -r
complete -c hud -n "__fish_hud_using_subcommand eval" -l runtime -d 'Where environments run' -r
complete -c hud -n "__fish_hud_using_subcommand eval" -s g -l gateway -d 'Call the model through the HUD gateway (needs HUD_API_KEY)'
complete -c hud -n "__fish_hud_using_subcommand eval" -l no-gateway -d 'Do not use the gateway although a file says so'
complete -c hud -n "__fish_hud_using_subcommand eval" -l all -d 'Run all tasks (the default; overrides task_ids and limit of hud.toml)'
complete -c hud -n "__fish_hud_using_subcommand eval" -l full -d 'All tasks, --auto-respond, and 100 steps unless --max-steps is given'
complete -c hud -n "__fish_hud_using_subcommand eval" -l auto-respond -d 'Let a model decide whether an agent that stopped calling tools should go on'
complete -c hud -n "__fish_hud_using_subcommand eval" -l no-auto-respond -d 'The opposite, when a file or --full turns it on'
complete -c hud -n "__fish_hud_using_subcommand eval" -l json -d 'JSON Lines on stdout instead of a report; the last is the summary'
complete -c hud -n "__fish_hud_using_subcommand eval" -l show-config -d 'Print each setting and where it came from, and stop'
complete -c hud -n "__fish_hud_using_subcommand eval" -l no-quiet -d 'Talk although a file says quiet = true'
complete -c hud -n "__fish_hud_using_subcommand eval" -l no-verbose -d 'Do not say more although a file says verbose = true'
complete -c hud -n "__fish_hud_using_subcommand eval" -s y -l yes -d 'Accepted for scripts written for other tools: hud starts without asking'
complete -c hud -n "__fish_hud_using_subcommand eval" -l remote -d 'Run on the platform'
complete -c hud -n "__fish_hud_using_subcommand eval" -l byok -d 'Use the caller\'s keys on the platform'
complete -c hud -n "__fish_hud_using_subcommand eval" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand eval" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand eval" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand eval" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hud -n "__fish_hud_using_subcommand init" -s t -l template -l preset -d 'What to start from' -r -f -a "blank\t'One tool, one scenario'
trivia\t'Questions about facts that a tool can look up'
chat\t'A conversation'
sqlite\t'A database that each rollout gets fresh'
organized\t'A folder for each of tools, scenarios, setup and evaluation'"
complete -c hud -n "__fish_hud_using_subcommand init" -s d -l dir -d 'Create the folder in here' -r -F
complete -c hud -n "__fish_hud_using_subcommand init" -s f -l force -d 'Overwrite files that exist'
complete -c hud -n "__fish_hud_using_subcommand init" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand init" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand init" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hud -n "__fish_hud_using_subcommand analyze" -s c -l config -d 'MCP servers out of a JSON or YAML file: {"mcpServers": {NAME: {"command" or "url": …}}}, or the names alone' -r -F
complete -c hud -n "__fish_hud_using_subcommand analyze" -l api-key -d 'The bearer token for a URL [default: $HUD_SERVE_KEY for a server on this machine]' -r
complete -c hud -n "__fish_hud_using_subcommand analyze" -l python -d 'The Python interpreter [default: the project\'s .venv, $VIRTUAL_ENV, python3]' -r -F
complete -c hud -n "__fish_hud_using_subcommand analyze" -l timeout -d 'Time of each step, such as 30, 30s or 2m' -r
complete -c hud -n "__fish_hud_using_subcommand analyze" -s f -l format -d 'How to print it' -r -f -a "table\t'For people'
json\t'One object'
markdown\t'For a README'"
complete -c hud -n "__fish_hud_using_subcommand analyze" -l json -d 'The same as --format json'
complete -c hud -n "__fish_hud_using_subcommand analyze" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand analyze" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand analyze" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand analyze" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hud -n "__fish_hud_using_subcommand dev" -s w -l watch -d 'Reload when this file or folder changes (repeatable) [default: the environment\'s folder]' -r -F
complete -c hud -n "__fish_hud_using_subcommand dev" -l drain -d 'How long calls in flight may go on after a reload [default: 10s]' -r
complete -c hud -n "__fish_hud_using_subcommand dev" -l import-timeout -d 'How long importing the environment may take [default: 1m]' -r
complete -c hud -n "__fish_hud_using_subcommand dev" -l isolation -d 'How sessions are kept apart: one process for all, a fork or a process for each [default: shared]' -r -f -a "shared\t'One process for all: what one call leaves behind, the next finds'
fork\t'A fork for each session'
spawn\t'A process for each session'"
complete -c hud -n "__fish_hud_using_subcommand dev" -l tool-timeout -d 'Stop a tool that runs longer [default: no limit]' -r
complete -c hud -n "__fish_hud_using_subcommand dev" -l python -d 'The Python to run the environment with' -r -F
complete -c hud -n "__fish_hud_using_subcommand dev" -l host -d 'The address to listen on [default: 127.0.0.1]' -r
complete -c hud -n "__fish_hud_using_subcommand dev" -s p -l port -d 'The port to listen on, or the next free one; 0 takes any [default: 8765]' -r
complete -c hud -n "__fish_hud_using_subcommand dev" -l api-key -d 'The bearer token that clients must send (better: the variable HUD_SERVE_KEY)' -r
complete -c hud -n "__fish_hud_using_subcommand dev" -l allowed-host -d 'A name by which clients may reach the server, beside those of this machine (repeatable)' -r
complete -c hud -n "__fish_hud_using_subcommand dev" -l allowed-origin -d 'A page whose scripts may use the server, such as http://localhost:6274 (repeatable; a port of * is any)' -r
complete -c hud -n "__fish_hud_using_subcommand dev" -l max-sessions -d 'Refuse more sessions than this at once [default: 1000]' -r
complete -c hud -n "__fish_hud_using_subcommand dev" -l idle-timeout -d 'Close a session that nobody used for this long [default: 30m]' -r
complete -c hud -n "__fish_hud_using_subcommand dev" -l client -d 'Print how this client connects, ready to paste (with --stdio: and end)' -r -f -a "claude-code\t'The command `claude mcp add`'
cursor\t'The link that adds the server to Cursor'
vscode\t'The entry for .vscode/mcp.json'
inspector\t'The command that starts the MCP Inspector'"
complete -c hud -n "__fish_hud_using_subcommand dev" -l no-watch -d 'Watch nothing'
complete -c hud -n "__fish_hud_using_subcommand dev" -l stdio -d 'Speak over stdin and stdout, with one client, instead of HTTP'
complete -c hud -n "__fish_hud_using_subcommand dev" -l strict-port -d 'Fail when the port is in use'
complete -c hud -n "__fish_hud_using_subcommand dev" -l no-strict-port -d 'Take the next free port, whatever hud.toml says'
complete -c hud -n "__fish_hud_using_subcommand dev" -l inspector -d 'Start the MCP Inspector beside the server'
complete -c hud -n "__fish_hud_using_subcommand dev" -l no-inspector -d 'Do not start it, whatever hud.toml says'
complete -c hud -n "__fish_hud_using_subcommand dev" -l interactive -d 'A prompt in the terminal: call tools, play scenarios'
complete -c hud -n "__fish_hud_using_subcommand dev" -l json -d 'What happens as JSON Lines on stdout'
complete -c hud -n "__fish_hud_using_subcommand dev" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand dev" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand dev" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand dev" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hud -n "__fish_hud_using_subcommand debug" -s c -l config -d 'MCP servers out of a JSON or YAML file: {"mcpServers": {NAME: {"command" or "url": …}}}, or the names alone' -r -F
complete -c hud -n "__fish_hud_using_subcommand debug" -l api-key -d 'The bearer token for a URL [default: $HUD_SERVE_KEY for a server on this machine]' -r
complete -c hud -n "__fish_hud_using_subcommand debug" -l python -d 'The Python interpreter [default: the project\'s .venv, $VIRTUAL_ENV, python3]' -r -F
complete -c hud -n "__fish_hud_using_subcommand debug" -l timeout -d 'Time of each step, such as 30, 30s or 2m' -r
complete -c hud -n "__fish_hud_using_subcommand debug" -s p -l max-phase -d 'Stop after this phase' -r
complete -c hud -n "__fish_hud_using_subcommand debug" -l call -d 'The tool to call [default: one annotated as read-only whose arguments can be made up]' -r
complete -c hud -n "__fish_hud_using_subcommand debug" -s a -l args -d 'Its arguments, as a JSON object' -r
complete -c hud -n "__fish_hud_using_subcommand debug" -l scenario -d 'The scenario to set up and grade [default: that of the first task, else one that needs no arguments]' -r
complete -c hud -n "__fish_hud_using_subcommand debug" -l arg -d 'An argument of the scenario (repeatable)' -r
complete -c hud -n "__fish_hud_using_subcommand debug" -s A -l answer -d 'The answer to submit [default: empty]' -r
complete -c hud -n "__fish_hud_using_subcommand debug" -l json -d 'One JSON object for each check, and a summary'
complete -c hud -n "__fish_hud_using_subcommand debug" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand debug" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand debug" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand debug" -s h -l help -d 'Print help'
complete -c hud -n "__fish_hud_using_subcommand scenario; and not __fish_seen_subcommand_from list setup start grade run shell" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand scenario; and not __fish_seen_subcommand_from list setup start grade run shell" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand scenario; and not __fish_seen_subcommand_from list setup start grade run shell" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand scenario; and not __fish_seen_subcommand_from list setup start grade run shell" -s h -l help -d 'Print help'
complete -c hud -n "__fish_hud_using_subcommand scenario; and not __fish_seen_subcommand_from list setup start grade run shell" -f -a "list" -d 'List the scenarios with their arguments'
complete -c hud -n "__fish_hud_using_subcommand scenario; and not __fish_seen_subcommand_from list setup start grade run shell" -f -a "setup" -d 'Set a scenario up and print its prompt; at a URL the session waits for grade'
complete -c hud -n "__fish_hud_using_subcommand scenario; and not __fish_seen_subcommand_from list setup start grade run shell" -f -a "start" -d 'Set a scenario up and print its prompt; at a URL the session waits for grade'
complete -c hud -n "__fish_hud_using_subcommand scenario; and not __fish_seen_subcommand_from list setup start grade run shell" -f -a "grade" -d 'Submit an answer and print the evaluation as JSON; at a URL to what setup left, elsewhere after a setup'
complete -c hud -n "__fish_hud_using_subcommand scenario; and not __fish_seen_subcommand_from list setup start grade run shell" -f -a "run" -d 'Set a scenario up, submit an answer and print the evaluation as JSON, with the prompt on stderr'
complete -c hud -n "__fish_hud_using_subcommand scenario; and not __fish_seen_subcommand_from list setup start grade run shell" -f -a "shell" -d 'Try an environment at a prompt: call its tools, run its scenarios by hand'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from list" -s s -l env -l source -d 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder\'s task file]' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from list" -s u -l url -d 'A server that runs already: the URL of its MCP endpoint' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from list" -l api-key -d 'The bearer token for a URL [default: $HUD_SERVE_KEY for a server on this machine]' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from list" -l python -d 'The Python interpreter [default: the project\'s .venv, $VIRTUAL_ENV, python3]' -r -F
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from list" -l timeout -d 'Time of each phase, such as 90, 90s or 5m' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from list" -l json -d 'One JSON object per scenario'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from list" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from setup" -s a -l args -d 'Arguments of the scenario, as a JSON object' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from setup" -s s -l env -l source -d 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder\'s task file]' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from setup" -s u -l url -d 'A server that runs already: the URL of its MCP endpoint' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from setup" -l api-key -d 'The bearer token for a URL [default: $HUD_SERVE_KEY for a server on this machine]' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from setup" -l python -d 'The Python interpreter [default: the project\'s .venv, $VIRTUAL_ENV, python3]' -r -F
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from setup" -l timeout -d 'Time of each phase, such as 90, 90s or 5m' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from setup" -l json -d 'The whole prompt as JSON, roles included'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from setup" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from setup" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from setup" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from setup" -s h -l help -d 'Print help'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from start" -s a -l args -d 'Arguments of the scenario, as a JSON object' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from start" -s s -l env -l source -d 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder\'s task file]' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from start" -s u -l url -d 'A server that runs already: the URL of its MCP endpoint' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from start" -l api-key -d 'The bearer token for a URL [default: $HUD_SERVE_KEY for a server on this machine]' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from start" -l python -d 'The Python interpreter [default: the project\'s .venv, $VIRTUAL_ENV, python3]' -r -F
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from start" -l timeout -d 'Time of each phase, such as 90, 90s or 5m' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from start" -l json -d 'The whole prompt as JSON, roles included'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from start" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from start" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from start" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from start" -s h -l help -d 'Print help'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from grade" -s a -l args -d 'Arguments of the scenario, as a JSON object' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from grade" -s A -l answer -d 'The answer to submit [default: empty]' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from grade" -l answer-file -d 'Read the answer from a file' -r -F
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from grade" -s s -l env -l source -d 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder\'s task file]' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from grade" -s u -l url -d 'A server that runs already: the URL of its MCP endpoint' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from grade" -l api-key -d 'The bearer token for a URL [default: $HUD_SERVE_KEY for a server on this machine]' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from grade" -l python -d 'The Python interpreter [default: the project\'s .venv, $VIRTUAL_ENV, python3]' -r -F
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from grade" -l timeout -d 'Time of each phase, such as 90, 90s or 5m' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from grade" -l judge-model -d 'The model for graders that judge with one [default: the grader\'s own]' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from grade" -l json -d 'On one line'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from grade" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from grade" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from grade" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from grade" -s h -l help -d 'Print help'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from run" -s a -l args -d 'Arguments of the scenario, as a JSON object' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from run" -s A -l answer -d 'The answer to submit [default: empty]' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from run" -l answer-file -d 'Read the answer from a file' -r -F
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from run" -s s -l env -l source -d 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder\'s task file]' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from run" -s u -l url -d 'A server that runs already: the URL of its MCP endpoint' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from run" -l api-key -d 'The bearer token for a URL [default: $HUD_SERVE_KEY for a server on this machine]' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from run" -l python -d 'The Python interpreter [default: the project\'s .venv, $VIRTUAL_ENV, python3]' -r -F
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from run" -l timeout -d 'Time of each phase, such as 90, 90s or 5m' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from run" -l judge-model -d 'The model for graders that judge with one [default: the grader\'s own]' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from run" -l json -d 'On one line'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from run" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from run" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from run" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from shell" -s c -l config -d 'MCP servers out of a JSON or YAML file: {"mcpServers": {NAME: {"command" or "url": …}}}, or the names alone' -r -F
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from shell" -l api-key -d 'The bearer token for a URL [default: $HUD_SERVE_KEY for a server on this machine]' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from shell" -l python -d 'The Python interpreter [default: the project\'s .venv, $VIRTUAL_ENV, python3]' -r -F
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from shell" -l timeout -d 'Time of each step, such as 30, 30s or 2m' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from shell" -s u -l url -d 'The same as SOURCE, for a server that runs already' -r
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from shell" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from shell" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from shell" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand scenario; and __fish_seen_subcommand_from shell" -s h -l help -d 'Print help'
complete -c hud -n "__fish_hud_using_subcommand task; and not __fish_seen_subcommand_from list setup start grade run shell" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand task; and not __fish_seen_subcommand_from list setup start grade run shell" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand task; and not __fish_seen_subcommand_from list setup start grade run shell" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand task; and not __fish_seen_subcommand_from list setup start grade run shell" -s h -l help -d 'Print help'
complete -c hud -n "__fish_hud_using_subcommand task; and not __fish_seen_subcommand_from list setup start grade run shell" -f -a "list" -d 'List the scenarios with their arguments'
complete -c hud -n "__fish_hud_using_subcommand task; and not __fish_seen_subcommand_from list setup start grade run shell" -f -a "setup" -d 'Set a scenario up and print its prompt; at a URL the session waits for grade'
complete -c hud -n "__fish_hud_using_subcommand task; and not __fish_seen_subcommand_from list setup start grade run shell" -f -a "start" -d 'Set a scenario up and print its prompt; at a URL the session waits for grade'
complete -c hud -n "__fish_hud_using_subcommand task; and not __fish_seen_subcommand_from list setup start grade run shell" -f -a "grade" -d 'Submit an answer and print the evaluation as JSON; at a URL to what setup left, elsewhere after a setup'
complete -c hud -n "__fish_hud_using_subcommand task; and not __fish_seen_subcommand_from list setup start grade run shell" -f -a "run" -d 'Set a scenario up, submit an answer and print the evaluation as JSON, with the prompt on stderr'
complete -c hud -n "__fish_hud_using_subcommand task; and not __fish_seen_subcommand_from list setup start grade run shell" -f -a "shell" -d 'Try an environment at a prompt: call its tools, run its scenarios by hand'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from list" -s s -l env -l source -d 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder\'s task file]' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from list" -s u -l url -d 'A server that runs already: the URL of its MCP endpoint' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from list" -l api-key -d 'The bearer token for a URL [default: $HUD_SERVE_KEY for a server on this machine]' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from list" -l python -d 'The Python interpreter [default: the project\'s .venv, $VIRTUAL_ENV, python3]' -r -F
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from list" -l timeout -d 'Time of each phase, such as 90, 90s or 5m' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from list" -l json -d 'One JSON object per scenario'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from list" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from setup" -s a -l args -d 'Arguments of the scenario, as a JSON object' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from setup" -s s -l env -l source -d 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder\'s task file]' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from setup" -s u -l url -d 'A server that runs already: the URL of its MCP endpoint' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from setup" -l api-key -d 'The bearer token for a URL [default: $HUD_SERVE_KEY for a server on this machine]' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from setup" -l python -d 'The Python interpreter [default: the project\'s .venv, $VIRTUAL_ENV, python3]' -r -F
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from setup" -l timeout -d 'Time of each phase, such as 90, 90s or 5m' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from setup" -l json -d 'The whole prompt as JSON, roles included'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from setup" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from setup" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from setup" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from setup" -s h -l help -d 'Print help'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from start" -s a -l args -d 'Arguments of the scenario, as a JSON object' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from start" -s s -l env -l source -d 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder\'s task file]' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from start" -s u -l url -d 'A server that runs already: the URL of its MCP endpoint' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from start" -l api-key -d 'The bearer token for a URL [default: $HUD_SERVE_KEY for a server on this machine]' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from start" -l python -d 'The Python interpreter [default: the project\'s .venv, $VIRTUAL_ENV, python3]' -r -F
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from start" -l timeout -d 'Time of each phase, such as 90, 90s or 5m' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from start" -l json -d 'The whole prompt as JSON, roles included'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from start" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from start" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from start" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from start" -s h -l help -d 'Print help'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from grade" -s a -l args -d 'Arguments of the scenario, as a JSON object' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from grade" -s A -l answer -d 'The answer to submit [default: empty]' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from grade" -l answer-file -d 'Read the answer from a file' -r -F
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from grade" -s s -l env -l source -d 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder\'s task file]' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from grade" -s u -l url -d 'A server that runs already: the URL of its MCP endpoint' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from grade" -l api-key -d 'The bearer token for a URL [default: $HUD_SERVE_KEY for a server on this machine]' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from grade" -l python -d 'The Python interpreter [default: the project\'s .venv, $VIRTUAL_ENV, python3]' -r -F
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from grade" -l timeout -d 'Time of each phase, such as 90, 90s or 5m' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from grade" -l judge-model -d 'The model for graders that judge with one [default: the grader\'s own]' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from grade" -l json -d 'On one line'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from grade" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from grade" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from grade" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from grade" -s h -l help -d 'Print help'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from run" -s a -l args -d 'Arguments of the scenario, as a JSON object' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from run" -s A -l answer -d 'The answer to submit [default: empty]' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from run" -l answer-file -d 'Read the answer from a file' -r -F
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from run" -s s -l env -l source -d 'Environment: a Python file or package, a URL, or a task file [default: env.py, or the folder\'s task file]' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from run" -s u -l url -d 'A server that runs already: the URL of its MCP endpoint' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from run" -l api-key -d 'The bearer token for a URL [default: $HUD_SERVE_KEY for a server on this machine]' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from run" -l python -d 'The Python interpreter [default: the project\'s .venv, $VIRTUAL_ENV, python3]' -r -F
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from run" -l timeout -d 'Time of each phase, such as 90, 90s or 5m' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from run" -l judge-model -d 'The model for graders that judge with one [default: the grader\'s own]' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from run" -l json -d 'On one line'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from run" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from run" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from run" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from shell" -s c -l config -d 'MCP servers out of a JSON or YAML file: {"mcpServers": {NAME: {"command" or "url": …}}}, or the names alone' -r -F
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from shell" -l api-key -d 'The bearer token for a URL [default: $HUD_SERVE_KEY for a server on this machine]' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from shell" -l python -d 'The Python interpreter [default: the project\'s .venv, $VIRTUAL_ENV, python3]' -r -F
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from shell" -l timeout -d 'Time of each step, such as 30, 30s or 2m' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from shell" -s u -l url -d 'The same as SOURCE, for a server that runs already' -r
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from shell" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from shell" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from shell" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand task; and __fish_seen_subcommand_from shell" -s h -l help -d 'Print help'
complete -c hud -n "__fish_hud_using_subcommand build" -s t -l tag -d 'A name for the image [default: that of the lock file, else of the folder]' -r
complete -c hud -n "__fish_hud_using_subcommand build" -l platform -d 'Build for this platform, such as linux/arm64 [default: the engine\'s own]' -r
complete -c hud -n "__fish_hud_using_subcommand build" -l build-arg -d 'A value for an ARG of the Dockerfile; NAME alone takes it from the environment (repeatable)' -r
complete -c hud -n "__fish_hud_using_subcommand build" -l secret -d 'A value for RUN --mount=type=secret, from a variable or a file; it stays out of the image (repeatable)' -r
complete -c hud -n "__fish_hud_using_subcommand build" -s e -l env -d 'A variable for starting the image; NAME alone takes it from the environment (repeatable)' -r
complete -c hud -n "__fish_hud_using_subcommand build" -l hud-binary -d 'The hud program for the image [default: this one]' -r -F
complete -c hud -n "__fish_hud_using_subcommand build" -l timeout -d 'How long the image may take to answer, such as 30, 30s or 2m' -r
complete -c hud -n "__fish_hud_using_subcommand build" -l no-cache -d 'Run every step, also those that are in the builder\'s cache'
complete -c hud -n "__fish_hud_using_subcommand build" -l pull -d 'Fetch base images also when the engine has them'
complete -c hud -n "__fish_hud_using_subcommand build" -l push -d 'Push the image to the registry in --tag'
complete -c hud -n "__fish_hud_using_subcommand build" -l no-analyze -d 'Do not start the image: the lock file then holds nothing of what it offers'
complete -c hud -n "__fish_hud_using_subcommand build" -l check -d 'Only check whether hud.lock.yaml is that of these files'
complete -c hud -n "__fish_hud_using_subcommand build" -l dry-run -d 'Only say what would be built'
complete -c hud -n "__fish_hud_using_subcommand build" -l json -d 'Print JSON Lines on stdout'
complete -c hud -n "__fish_hud_using_subcommand build" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand build" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand build" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand build" -s h -l help -d 'Print help'
complete -c hud -n "__fish_hud_using_subcommand push" -s t -l tag -d 'The name in the registry [default: where it was pushed before, else the image\'s own name]' -r
complete -c hud -n "__fish_hud_using_subcommand push" -l image -d 'Push this image of the engine instead of the lock\'s' -r
complete -c hud -n "__fish_hud_using_subcommand push" -l json -d 'Print JSON Lines on stdout'
complete -c hud -n "__fish_hud_using_subcommand push" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand push" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand push" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand push" -s h -l help -d 'Print help'
complete -c hud -n "__fish_hud_using_subcommand serve; and not __fish_seen_subcommand_from mcp" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand serve; and not __fish_seen_subcommand_from mcp" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand serve; and not __fish_seen_subcommand_from mcp" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand serve; and not __fish_seen_subcommand_from mcp" -s h -l help -d 'Print help'
complete -c hud -n "__fish_hud_using_subcommand serve; and not __fish_seen_subcommand_from mcp" -f -a "mcp" -d 'Serve over MCP: every client works in a copy of its own'
complete -c hud -n "__fish_hud_using_subcommand serve; and __fish_seen_subcommand_from mcp" -l host -d 'The address to listen on' -r
complete -c hud -n "__fish_hud_using_subcommand serve; and __fish_seen_subcommand_from mcp" -s p -l port -d 'The port to listen on; 0 takes a free one' -r
complete -c hud -n "__fish_hud_using_subcommand serve; and __fish_seen_subcommand_from mcp" -l api-key -d 'The bearer token that clients must send (better: the variable `HUD_SERVE_KEY`)' -r
complete -c hud -n "__fish_hud_using_subcommand serve; and __fish_seen_subcommand_from mcp" -l allowed-host -d 'A name by which clients may reach the server, beside those of this machine (repeatable)' -r
complete -c hud -n "__fish_hud_using_subcommand serve; and __fish_seen_subcommand_from mcp" -l python -d 'The Python to run the environment with' -r -F
complete -c hud -n "__fish_hud_using_subcommand serve; and __fish_seen_subcommand_from mcp" -l max-sessions -d 'Refuse more sessions than this at once' -r
complete -c hud -n "__fish_hud_using_subcommand serve; and __fish_seen_subcommand_from mcp" -l idle-timeout -d 'Close a session that nobody used for this long' -r
complete -c hud -n "__fish_hud_using_subcommand serve; and __fish_seen_subcommand_from mcp" -l logs -d 'Keep what the copies print in this folder' -r -F
complete -c hud -n "__fish_hud_using_subcommand serve; and __fish_seen_subcommand_from mcp" -l stdio -d 'Speak over stdin and stdout, with one client, instead of HTTP'
complete -c hud -n "__fish_hud_using_subcommand serve; and __fish_seen_subcommand_from mcp" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand serve; and __fish_seen_subcommand_from mcp" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand serve; and __fish_seen_subcommand_from mcp" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand serve; and __fish_seen_subcommand_from mcp" -s h -l help -d 'Print help'
complete -c hud -n "__fish_hud_using_subcommand set" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand set" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand set" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand set" -s h -l help -d 'Print help'
complete -c hud -n "__fish_hud_using_subcommand completions" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand completions" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand completions" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hud -n "__fish_hud_using_subcommand man" -l dir -d 'Write the pages of all commands into this folder instead of printing the page of hud' -r -F
complete -c hud -n "__fish_hud_using_subcommand man" -s v -l verbose -d 'Say more on stderr; twice (-vv) for debug logs'
complete -c hud -n "__fish_hud_using_subcommand man" -l very-verbose -d 'The same as -vv'
complete -c hud -n "__fish_hud_using_subcommand man" -s q -l quiet -d 'Only errors and results'
complete -c hud -n "__fish_hud_using_subcommand man" -s h -l help -d 'Print help'
