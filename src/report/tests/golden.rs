//! The published JSON Lines, as they are promised.

use serde_json::Value;

use super::*;

#[test]
fn the_lines_of_a_job() {
    let captured = report(&whole_story(), json(Verbosity::Normal), Terminal::default());
    assert_eq!(captured.stderr(), "");
    insta::assert_snapshot!(captured.stdout(), @r#"
    {"event":"job_started","job":"20261120-101502-trivia-3f2a","name":"trivia","model":"claude-sonnet-4-6","agent":"claude","tasks":8,"group":1,"rollouts":8,"max_concurrent":30,"seed":18446744073709551615,"directory":".hud/runs/20261120-101502-trivia-3f2a"}
    {"event":"notice","level":"warning","text":"--max-steps 30 does not apply to 3 tasks that set it"}
    {"event":"environment_ready","environment":"trivia","isolation":"each rollout in its own fork","reason":null,"startup_s":0.041}
    {"event":"rollout_started","rollout":"0000000000000abc.0","trace":"00000000000000000000000000000000","index":0,"task":"ceo-hud","repeat":0}
    {"event":"rollout_finished","rollout":"0000000000000abc.0","trace":"00000000000000000000000000000000","index":0,"task":"ceo-hud","repeat":0,"outcome":"graded","reward":1.0,"message":null,"phase":null,"limit":null,"content":null,"info":{},"subscores":[],"answer":"JR","steps":3,"tool_calls":2,"input_tokens":1100,"output_tokens":134,"judge_input_tokens":50,"judge_output_tokens":5,"cost_usd":0.0125,"duration_s":0.812,"warnings":[]}
    {"event":"rollout_started","rollout":"0000000000000abd.0","trace":"00000000000000000000000000000001","index":1,"task":"ceo-acme","repeat":0}
    {"event":"rollout_finished","rollout":"0000000000000abd.0","trace":"00000000000000000000000000000001","index":1,"task":"ceo-acme","repeat":0,"outcome":"graded","reward":0.3333333333333333,"message":null,"phase":null,"limit":"steps","content":"half of it","info":{"expected":"JR","distance":0.1},"subscores":[{"name":"exact","weight":0.75,"value":0.3333333333333333},{"name":"format","weight":0.25,"value":1.0}],"answer":"Jay \u001b[31mRam\u001b[0m","steps":3,"tool_calls":2,"input_tokens":1100,"output_tokens":134,"judge_input_tokens":50,"judge_output_tokens":5,"cost_usd":0.0125,"duration_s":0.812,"warnings":["`@env.shutdown` raised: boom"]}
    {"event":"rollout_started","rollout":"0000000000000abe.0","trace":"00000000000000000000000000000002","index":2,"task":"ceo-void","repeat":0}
    {"event":"rollout_finished","rollout":"0000000000000abe.0","trace":"00000000000000000000000000000002","index":2,"task":"ceo-void","repeat":0,"outcome":"environment_error","reward":null,"message":"the scenario `initials` raised ValueError: no such company\n  File \"env.py\", line 12, in initials","phase":"setup","limit":null,"content":null,"info":null,"subscores":[],"answer":null,"steps":0,"tool_calls":0,"input_tokens":0,"output_tokens":0,"judge_input_tokens":0,"judge_output_tokens":0,"cost_usd":null,"duration_s":0.812,"warnings":[]}
    {"event":"rollout_started","rollout":"0000000000000abf.0","trace":"00000000000000000000000000000003","index":3,"task":"ceo-slow","repeat":0}
    {"event":"rollout_finished","rollout":"0000000000000abf.0","trace":"00000000000000000000000000000003","index":3,"task":"ceo-slow","repeat":0,"outcome":"timeout","reward":null,"message":"no answer within 300 s","phase":"connect","limit":null,"content":null,"info":null,"subscores":[],"answer":null,"steps":0,"tool_calls":0,"input_tokens":0,"output_tokens":0,"judge_input_tokens":0,"judge_output_tokens":0,"cost_usd":null,"duration_s":0.812,"warnings":[]}
    {"event":"rollout_started","rollout":"0000000000000ac0.0","trace":"00000000000000000000000000000004","index":4,"task":"ceo-key","repeat":0}
    {"event":"rollout_finished","rollout":"0000000000000ac0.0","trace":"00000000000000000000000000000004","index":4,"task":"ceo-key","repeat":0,"outcome":"agent_error","reward":null,"message":"the provider refused the key (401)\nhint: check `ANTHROPIC_API_KEY`","phase":null,"limit":null,"content":null,"info":null,"subscores":[],"answer":null,"steps":0,"tool_calls":0,"input_tokens":0,"output_tokens":0,"judge_input_tokens":0,"judge_output_tokens":0,"cost_usd":null,"duration_s":0.812,"warnings":[]}
    {"event":"rollout_started","rollout":"0000000000000ac1.0","trace":"00000000000000000000000000000005","index":5,"task":"ceo-long","repeat":0}
    {"event":"rollout_finished","rollout":"0000000000000ac1.0","trace":"00000000000000000000000000000005","index":5,"task":"ceo-long","repeat":0,"outcome":"limit_reached","reward":null,"message":"a tool did not stop and was killed","phase":null,"limit":"time","content":null,"info":null,"subscores":[],"answer":"partial","steps":3,"tool_calls":2,"input_tokens":1100,"output_tokens":134,"judge_input_tokens":50,"judge_output_tokens":5,"cost_usd":0.0125,"duration_s":0.812,"warnings":[]}
    {"event":"rollout_started","rollout":"0000000000000ac2.0","trace":"00000000000000000000000000000006","index":6,"task":"ceo-late","repeat":0}
    {"event":"rollout_finished","rollout":"0000000000000ac2.0","trace":"00000000000000000000000000000006","index":6,"task":"ceo-late","repeat":0,"outcome":"cancelled","reward":null,"message":null,"phase":null,"limit":null,"content":null,"info":null,"subscores":[],"answer":null,"steps":0,"tool_calls":0,"input_tokens":0,"output_tokens":0,"judge_input_tokens":0,"judge_output_tokens":0,"cost_usd":null,"duration_s":0.812,"warnings":[]}
    {"event":"summary","job":"20261120-101502-trivia-3f2a","rollouts":8,"graded":2,"failed":{"agent_error":1,"environment_error":1,"timeout":1,"limit_reached":1,"cancelled":1,"not_started":1},"mean_reward":0.6666666666666666,"stderr":0.33333333333333337,"success_rate":0.5,"input_tokens":3450,"output_tokens":417,"cost_usd":0.037500000000000006,"duration_s":12.345,"directory":".hud/runs/20261120-101502-trivia-3f2a"}
    "#);
}

#[test]
fn the_lines_of_steps_come_with_v() {
    let captured = report(
        &whole_story(),
        json(Verbosity::Verbose),
        Terminal::default(),
    );
    let stdout = captured.stdout();
    let steps: Vec<String> = stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["event"] == "step" && line["index"] == 0)
        .map(|line| line["step"].to_string())
        .collect();
    insta::assert_snapshot!(steps.join("\n"), @r#"
    {"type":"prompt","system":"Be brief.","text":"What are the initials of HUD's CEO?\nLet me see.","tools":["lookup_ceo"]}
    {"type":"model_started","step":1}
    {"type":"retry","attempt":1,"delay_s":1.5,"error":"429: slow down"}
    {"type":"turn","step":1,"model":"claude-sonnet-4-6","text":"I will look it up.","reasoning":"Who is it?","tool_calls":[{"id":"call_1","name":"lookup_ceo","arguments":{"company":"HUD"}},{"id":"call_2","name":"screenshot","arguments":"{"}],"stop":"tool_calls","input_tokens":100,"output_tokens":10,"duration_s":0.42}
    {"type":"tool_started","id":"call_1","name":"lookup_ceo","arguments":{"company":"HUD"}}
    {"type":"tool_finished","id":"call_1","name":"lookup_ceo","is_error":false,"text":"Jay Ram\nsince 2024","structured":{"ceo":"Jay Ram","confidence":0.3},"attachments":1,"duration_s":0.012}
    {"type":"tool_finished","id":"call_2","name":"screenshot","is_error":true,"text":"the arguments are not valid JSON","structured":null,"attachments":0,"duration_s":0.0}
    {"type":"user","text":"Please go on."}
    {"type":"model_started","step":2}
    {"type":"turn","step":2,"model":"claude-sonnet-4-6","text":"JR","reasoning":"","tool_calls":[],"stop":"odd","input_tokens":100,"output_tokens":10,"duration_s":0.3}
    {"type":"limit_reached","limit":"steps"}
    {"type":"submitted","answer":"JR"}
    {"type":"judge","model":"judge-1","input_tokens":50,"output_tokens":5,"duration_s":0.077}
    {"type":"log","level":"info","text":"graded"}
    "#);
}

#[test]
fn the_last_line_has_the_promised_keys() {
    let captured = report(&whole_story(), json(Verbosity::Normal), Terminal::default());
    let stdout = captured.stdout();
    let last: serde_json::Map<String, Value> =
        serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    let keys: Vec<&str> = last.keys().map(String::as_str).collect();
    let promised = "event job rollouts graded failed mean_reward stderr success_rate input_tokens \
                    output_tokens cost_usd duration_s directory";
    assert_eq!(keys, promised.split_whitespace().collect::<Vec<_>>());
}

#[test]
fn a_redirected_json_leaves_the_terminal_to_a_person() {
    let terminal = Terminal {
        stdout: None,
        stderr: Some(80),
    };
    // Bars are off so that nothing is drawn on the terminal that runs this test.
    let options = Options {
        progress: false,
        ..json(Verbosity::Normal)
    };
    let captured = report(&whole_story(), options, terminal);
    assert_eq!(captured.stderr(), "");
    for line in captured.stdout().lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
}
