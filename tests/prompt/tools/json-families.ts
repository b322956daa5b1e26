import { NINE_CHARACTERS } from "../../../src/prompt/tools/syntax"
import { type Family, ID, NAME, MAP, OSLO, index, m, syntax } from "./family"

export const JSON_FAMILIES: readonly Family[] = [
  {
    name: "Hermes",
    tokens: ["<tool_call>", "</tool_call>"],
    syntax: syntax(
      {
        section: ["", "\n", ""],
        start: m('<tool_call>\n{"name": "'),
        nameEnd: m('", "arguments": '),
        end: m("}\n</tool_call>"),
      },
      {},
    ),
    examples: [
      {
        text: '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo", "days": 3, "metric": true}}\n</tool_call>',
        calls: [["weather", OSLO]],
      },
      {
        text: 'Let me look.\n<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>\n<tool_call>\n{"name": "weather_map", "arguments": {"area": {"north": 59.5, "label": "a b"}, "tags": ["x", "y"], "note": null}}\n</tool_call>',
        content: "Let me look.",
        calls: [
          ["now", {}],
          ["weather_map", MAP],
        ],
      },
      {
        text: '<tool_call>\n{"name":"weather","arguments":{"city":"say \\"hi\\" \\u00e9 😀\\n"}}</tool_call>',
        calls: [["weather", { city: 'say "hi" é 😀\n' }]],
      },
    ],
  },
  {
    name: "Mistral Nemo",
    tokens: ["[TOOL_CALLS]"],
    syntax: syntax(
      {
        section: ["[TOOL_CALLS][", ", ", "]"],
        start: m('{"name": "'),
        nameEnd: m('", "arguments": '),
        end: m(', "id": "', ID, '"}'),
      },
      { idForm: NINE_CHARACTERS },
    ),
    examples: [
      {
        text: '[TOOL_CALLS][{"name": "weather", "arguments": {"city": "Oslo", "days": 3, "metric": true}, "id": "abcDEF123"}]',
        calls: [["weather", OSLO, "abcDEF123"]],
      },
      {
        text: '[TOOL_CALLS][{"name": "now", "arguments": {}, "id": "abcDEF123"}, {"name": "weather", "arguments": {"city": "]"}, "id": "abcDEF124"}]',
        calls: [
          ["now", {}, "abcDEF123"],
          ["weather", { city: "]" }, "abcDEF124"],
        ],
      },
    ],
  },
  {
    name: "Mistral Small 3.2",
    tokens: ["[TOOL_CALLS]", "[CALL_ID]", "[ARGS]"],
    syntax: syntax(
      { start: m("[TOOL_CALLS]"), nameEnd: m("[CALL_ID]", ID, "[ARGS]"), end: [] },
      { idForm: NINE_CHARACTERS },
    ),
    examples: [
      {
        text: '[TOOL_CALLS]weather[CALL_ID]abcDEF123[ARGS]{"city": "Oslo"}[TOOL_CALLS]now[CALL_ID]abcDEF124[ARGS]{}',
        calls: [
          ["weather", { city: "Oslo" }, "abcDEF123"],
          ["now", {}, "abcDEF124"],
        ],
      },
    ],
  },
  {
    name: "Llama 3",
    syntax: syntax(
      { start: m('{"name": "'), nameEnd: m('", "parameters": '), end: m("}") },
      { isParallel: false },
    ),
    examples: [
      { text: '{"name": "weather", "parameters": {"city": "Oslo"}}', calls: [["weather", { city: "Oslo" }]] },
      { text: '{"name": "Bob", "age": 3}', content: '{"name": "Bob", "age": 3}', calls: [] },
    ],
  },
  {
    name: "Functionary 3.1",
    syntax: syntax({ start: m("<function="), nameEnd: m(">"), end: m("</function>") }),
    examples: [
      {
        text: '<function=weather>{"city": "Oslo"}</function><function=now>{}</function>',
        calls: [
          ["weather", { city: "Oslo" }],
          ["now", {}],
        ],
      },
    ],
  },
  {
    name: "Functionary 3.2",
    syntax: syntax(
      { section: ["", ">>>", ""], start: [], nameEnd: m("\n"), end: [] },
      { isOpened: true, text: { start: "all\n", end: ">>>" } },
    ),
    examples: [
      { text: 'weather\n{"city": "Oslo"}', calls: [["weather", { city: "Oslo" }]] },
      {
        text: 'all\nLet me >>see.>>>weather\n{"city": "Oslo"}>>>now\n{}',
        content: "Let me >>see.",
        calls: [
          ["weather", { city: "Oslo" }],
          ["now", {}],
        ],
      },
      { text: "weather is fine", content: "weather is fine", calls: [] },
    ],
  },
  {
    name: "Command-R7B",
    tokens: ["<|START_ACTION|>", "<|END_ACTION|>"],
    syntax: syntax({
      section: ["<|START_ACTION|>[\n    ", ",\n    ", "\n]<|END_ACTION|>"],
      start: m('{"tool_call_id": "', index(0), '", "tool_name": "'),
      nameEnd: m('", "parameters": '),
      end: m("}"),
    }),
    examples: [
      {
        text: '<|START_ACTION|>[\n    {"tool_call_id": "0", "tool_name": "weather", "parameters": {"city": "Oslo"}},\n    {"tool_call_id": "1", "tool_name": "now", "parameters": {}}\n]<|END_ACTION|>',
        calls: [
          ["weather", { city: "Oslo" }],
          ["now", {}],
        ],
      },
    ],
  },
  {
    name: "Command-R+",
    syntax: syntax({
      section: ["Action: ```json\n[\n", ",\n", "\n]\n```"],
      start: m('    {\n        "tool_name": "'),
      nameEnd: m('",\n        "parameters": '),
      end: m("\n    }"),
    }),
    examples: [
      {
        text: 'Action: ```json\n[\n    {\n        "tool_name": "weather",\n        "parameters": {\n            "city": "Oslo"\n        }\n    }\n]\n```',
        calls: [["weather", { city: "Oslo" }]],
      },
    ],
  },
  {
    name: "Kimi K2",
    tokens: [
      "<|tool_calls_section_begin|>",
      "<|tool_call_begin|>",
      "<|tool_call_argument_begin|>",
      "<|tool_call_end|>",
      "<|tool_calls_section_end|>",
    ],
    syntax: syntax(
      {
        section: ["<|tool_calls_section_begin|>", "", "<|tool_calls_section_end|>"],
        start: m("<|tool_call_begin|>functions."),
        nameEnd: m(":", index(0), "<|tool_call_argument_begin|>"),
        end: m("<|tool_call_end|>"),
      },
      { idForm: { type: "composed", marker: m("functions.", NAME, ":", index(0)) } },
    ),
    examples: [
      {
        text: '<|tool_calls_section_begin|><|tool_call_begin|>functions.weather:0<|tool_call_argument_begin|>{"city": "Oslo"}<|tool_call_end|><|tool_call_begin|>functions.now:1<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>',
        calls: [
          ["weather", { city: "Oslo" }, "functions.weather:0"],
          ["now", {}, "functions.now:1"],
        ],
      },
    ],
  },
  {
    name: "DeepSeek V3",
    tokens: [
      "<｜tool▁calls▁begin｜>",
      "<｜tool▁call▁begin｜>",
      "<｜tool▁sep｜>",
      "<｜tool▁call▁end｜>",
      "<｜tool▁calls▁end｜>",
    ],
    syntax: syntax({
      section: ["<｜tool▁calls▁begin｜>", "\n", "<｜tool▁calls▁end｜>"],
      start: m("<｜tool▁call▁begin｜>function<｜tool▁sep｜>"),
      nameEnd: m("\n```json\n"),
      end: m("\n```<｜tool▁call▁end｜>"),
    }),
    examples: [
      {
        text: '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n{"city": "Oslo"}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
        calls: [
          ["weather", { city: "Oslo" }],
          ["now", {}],
        ],
      },
    ],
  },
  {
    name: "GPT-OSS",
    tokens: ["<|start|>", "<|channel|>", "<|constrain|>", "<|message|>", "<|call|>"],
    syntax: syntax(
      {
        start: m(" to=functions."),
        nameEnd: m("<|channel|>commentary <|constrain|>json<|message|>"),
        end: m("<|call|>"),
      },
      {
        isParallel: false,
        variants: [
          {
            start: m("<|channel|>commentary to=functions."),
            nameEnd: m(" <|constrain|>json<|message|>"),
            arguments: { type: "json" },
            end: m("<|call|>"),
          },
        ],
        text: { start: "<|channel|>final<|message|>", end: "" },
        dropped: ["<|start|>assistant"],
      },
    ),
    examples: [
      {
        text: ' to=functions.weather<|channel|>commentary <|constrain|>json<|message|>{"city":"Oslo"}<|call|>',
        calls: [["weather", { city: "Oslo" }]],
      },
      {
        text: '<|start|>assistant<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{"city":"Oslo"}',
        calls: [["weather", { city: "Oslo" }]],
      },
      { text: "<|channel|>final<|message|>It is warm.", content: "It is warm.", calls: [] },
    ],
  },
  {
    name: "Granite 3.3",
    tokens: ["<|tool_call|>"],
    syntax: syntax({
      section: ["<|tool_call|>[", ", ", "]"],
      start: m('{"name": "'),
      nameEnd: m('", "arguments": '),
      end: m("}"),
    }),
    examples: [
      {
        text: '<|tool_call|>[{"name": "weather", "arguments": {"city": "Oslo"}}, {"name": "now", "arguments": {}}]',
        calls: [
          ["weather", { city: "Oslo" }],
          ["now", {}],
        ],
      },
    ],
  },
  {
    name: "Apertus",
    tokens: ["<|tools_prefix|>", "<|tools_suffix|>"],
    syntax: syntax({
      section: ["<|tools_prefix|>[", ", ", "]<|tools_suffix|>"],
      start: m('{"'),
      nameEnd: m('": '),
      end: m("}"),
    }),
    examples: [
      {
        text: '<|tools_prefix|>[{"weather": {"city": "Oslo"}}, {"now": {}}]<|tools_suffix|>',
        calls: [
          ["weather", { city: "Oslo" }],
          ["now", {}],
        ],
      },
    ],
  },
  {
    name: "JSON in a string",
    syntax: syntax({
      start: m('<call>{"function": "'),
      nameEnd: m('", "arguments": "'),
      end: m('"}</call>'),
      arguments: { type: "json-text" },
    }),
    examples: [
      {
        text: '<call>{"function": "weather", "arguments": "{\\"city\\": \\"Os\\\\\\"lo\\"}"}</call>',
        calls: [["weather", { city: 'Os"lo' }]],
      },
      {
        text: '<call>{"function": "weather", "arguments": "{\\"city\\": \\"Os\\\\\\"lo \\ud83d\\ude00\\", \\"days\\": 3}"}</call><call>{"function": "now", "arguments": "{}"}</call>',
        calls: [
          ["weather", { city: 'Os"lo 😀', days: 3 }],
          ["now", {}],
        ],
      },
    ],
  },
  {
    name: "arguments before the name",
    syntax: ((each) => ({ ...each, call: { ...each.call, isNameLast: true } }))(
      syntax({ start: m('<call>{"arguments": '), nameEnd: m(', "name": "'), end: m('"}</call>') }),
    ),
    examples: [
      {
        text: '<call>{"arguments": {"city": "Oslo"}, "name": "weather"}</call><call>{"arguments": {}, "name": "weather_map"}</call>',
        calls: [
          ["weather", { city: "Oslo" }],
          ["weather_map", {}],
        ],
      },
    ],
  },
  {
    name: "calls without arguments of their own form",
    syntax: syntax({
      start: m('<c>{"name": "'),
      nameEnd: m('", "arguments": '),
      end: m("}</c>"),
      empty: m('"}</c>'),
    }),
    examples: [
      {
        text: '<c>{"name": "now"}</c><c>{"name": "weather", "arguments": {"city": "Oslo"}}</c>',
        calls: [
          ["now", {}],
          ["weather", { city: "Oslo" }],
        ],
      },
    ],
  },
]
