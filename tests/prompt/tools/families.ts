import type { ControlToken } from "../../../src/prompt/tools/control-tokens"
import {
  ANY_ID,
  type ArgumentsSyntax,
  type Marker,
  markerText,
  NINE_CHARACTERS,
  type TaggedArguments,
  type ToolSyntax,
} from "../../../src/prompt/tools/syntax"

const ID = { type: "id" } as const
const NAME = { type: "name" } as const
const ARGUMENT = { type: "argument" } as const
const index = (first: 0 | 1) => ({ type: "index", first }) as const

/** A marker, written as its parts. */
export function m(...parts: readonly (string | Marker[number])[]): Marker {
  return parts.flatMap((part) => (typeof part === "string" ? markerText(part) : [part]))
}

interface Parts {
  readonly section?: readonly [start: string, separator: string, end: string]
  readonly start: Marker
  readonly nameEnd: Marker
  readonly end: Marker
  readonly arguments?: ArgumentsSyntax
  readonly empty?: Marker
}

function syntax(parts: Parts, more: Partial<ToolSyntax> = {}): ToolSyntax {
  const [start, separator, end] = parts.section ?? ["", "", ""]
  return {
    origin: "known",
    sectionStart: m(start),
    separator: m(separator),
    sectionEnd: m(end),
    call: {
      start: parts.start,
      nameEnd: parts.nameEnd,
      arguments: parts.arguments ?? { type: "json" },
      end: parts.end,
      ...(parts.empty && { empty: parts.empty }),
    },
    isParallel: true,
    idForm: ANY_ID,
    ...more,
  }
}

function tagged(parts: Partial<TaggedArguments>): TaggedArguments {
  return {
    type: "tagged",
    start: [],
    nameEnd: [],
    valueEnd: [],
    separator: [],
    strings: "raw",
    values: { type: "json" },
    ...parts,
  }
}

/** An answer, and the calls in it: name, arguments, and the id if the text has it. */
export interface Example {
  readonly text: string
  readonly content?: string
  readonly calls: readonly (readonly [name: string, args: unknown, id?: string])[]
}

export interface Family {
  readonly name: string
  readonly syntax: ToolSyntax
  readonly tokens?: readonly string[]
  readonly examples: readonly Example[]
}

/** The tools that the examples call. */
export const TOOLS = [
  {
    name: "weather",
    isStrict: false,
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, days: { type: "integer" }, metric: { type: "boolean" } },
      required: ["city"],
    },
  },
  { name: "now", isStrict: false, parameters: { type: "object", properties: {} } },
  {
    name: "weather_map",
    isStrict: false,
    parameters: {
      type: "object",
      properties: {
        area: { type: "object", properties: { north: { type: "number" }, label: { type: "string" } } },
        tags: { type: "array", items: { type: "string" } },
        note: { anyOf: [{ type: "string" }, { type: "null" }] },
      },
    },
  },
] as const

const OSLO = { city: "Oslo", days: 3, metric: true }
const MAP = { area: { north: 59.5, label: "a b" }, tags: ["x", "y"], note: null }

export const FAMILIES: readonly Family[] = [
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
    name: "Kimi K3",
    tokens: ["<|open|>", "<|close|>", "<|sep|>"],
    syntax: syntax(
      {
        section: ["<|open|>tools<|sep|>", "", "<|close|>tools<|sep|>"],
        start: m('<|open|>call tool="'),
        nameEnd: m('" index="', index(1), '"<|sep|>'),
        end: m("<|close|>call<|sep|>"),
        arguments: tagged({
          start: m('<|open|>argument key="'),
          nameEnd: m('" type="string"<|sep|>'),
          nameEndOf: {
            number: m('" type="number"<|sep|>'),
            boolean: m('" type="boolean"<|sep|>'),
            null: m('" type="null"<|sep|>'),
            object: m('" type="object"<|sep|>'),
            array: m('" type="array"<|sep|>'),
          },
          valueEnd: m("<|close|>argument<|sep|>"),
        }),
      },
      { text: { start: "<|open|>response<|sep|>", end: "<|close|>response<|sep|>" } },
    ),
    examples: [
      {
        text: '<|open|>tools<|sep|><|open|>call tool="weather" index="1"<|sep|><|open|>argument key="city" type="string"<|sep|>Oslo<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|>',
        calls: [["weather", { city: "Oslo" }]],
      },
      {
        text: '<|open|>response<|sep|>Hm.<|close|>response<|sep|><|open|>tools<|sep|><|open|>call tool="weather" index="1"<|sep|><|open|>argument key="city" type="string"<|sep|>3<|close|>argument<|sep|><|open|>argument key="days" type="number"<|sep|>3<|close|>argument<|sep|><|close|>call<|sep|><|open|>call tool="weather_map" index="2"<|sep|><|open|>argument key="area" type="object"<|sep|>{"north":1}<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|>',
        content: "Hm.",
        calls: [
          ["weather", { city: "3", days: 3 }],
          ["weather_map", { area: { north: 1 } }],
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
    name: "DeepSeek V3.2",
    syntax: syntax({
      section: ["<｜DSML｜function_calls>\n", "\n", "\n</｜DSML｜function_calls>"],
      start: m('<｜DSML｜invoke name="'),
      nameEnd: m('">\n'),
      end: m("</｜DSML｜invoke>"),
      arguments: tagged({
        start: m('<｜DSML｜parameter name="'),
        nameEnd: m('" string="false">'),
        nameEndOf: { string: m('" string="true">') },
        valueEnd: m("</｜DSML｜parameter>\n"),
      }),
    }),
    examples: [
      {
        text: '<｜DSML｜function_calls>\n<｜DSML｜invoke name="weather">\n<｜DSML｜parameter name="city" string="true">Oslo</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>',
        calls: [["weather", { city: "Oslo" }]],
      },
      {
        text: 'I see.\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name="weather">\n<｜DSML｜parameter name="city" string="true">Os"lo</｜DSML｜parameter>\n<｜DSML｜parameter name="days" string="false">3</｜DSML｜parameter>\n<｜DSML｜parameter name="metric" string="false">true</｜DSML｜parameter>\n</｜DSML｜invoke>\n<｜DSML｜invoke name="now">\n</｜DSML｜invoke>\n</｜DSML｜function_calls>',
        content: "I see.",
        calls: [
          ["weather", { ...OSLO, city: 'Os"lo' }],
          ["now", {}],
        ],
      },
    ],
  },
  {
    name: "Qwen3-Coder",
    tokens: ["<tool_call>", "</tool_call>"],
    syntax: syntax({
      section: ["", "\n", ""],
      start: m("<tool_call>\n<function="),
      nameEnd: m(">\n"),
      end: m("</function>\n</tool_call>"),
      arguments: tagged({
        start: m("<parameter="),
        nameEnd: m(">\n"),
        valueEnd: m("\n</parameter>\n"),
      }),
    }),
    examples: [
      {
        text: "<tool_call>\n<function=weather>\n<parameter=city>\nOslo\n</parameter>\n<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>",
        calls: [["weather", { city: "Oslo", days: 3 }]],
      },
      {
        text: "<tool_call>\n<function=weather>\n<parameter=city>\n Os\nlo </parameter\n\n</parameter>\n<parameter=days>\n3\n</parameter>\n<parameter=metric>\nTrue\n</parameter>\n</function>\n</tool_call>\n<tool_call>\n<function=now>\n</function>\n</tool_call>",
        calls: [
          ["weather", { ...OSLO, city: " Os\nlo </parameter\n" }],
          ["now", {}],
        ],
      },
      {
        text: 'Text\n\n<tool_call>\n<function=weather_map>\n<parameter=area>\n{"north": 59.5, "label": "a b"}\n</parameter>\n<parameter=tags>\n["x", "y"]\n</parameter>\n<parameter=note>\nnull\n</parameter>\n</function>\n</tool_call>',
        content: "Text",
        calls: [["weather_map", MAP]],
      },
    ],
  },
  {
    name: "GLM 4.5",
    tokens: ["<tool_call>", "</tool_call>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"],
    syntax: syntax({
      section: ["", "\n", ""],
      start: m("<tool_call>"),
      nameEnd: m("\n"),
      end: m("</tool_call>"),
      arguments: tagged({
        start: m("<arg_key>"),
        nameEnd: m("</arg_key>\n<arg_value>"),
        valueEnd: m("</arg_value>\n"),
      }),
    }),
    examples: [
      {
        text: "<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>\n<tool_call>now\n</tool_call>",
        calls: [
          ["weather", { city: "Oslo", days: 3 }],
          ["now", {}],
        ],
      },
    ],
  },
  {
    name: "GLM 4.7",
    syntax: syntax({
      start: m("<tool_call>"),
      nameEnd: [],
      end: m("</tool_call>"),
      arguments: tagged({
        start: m("<arg_key>"),
        nameEnd: m("</arg_key><arg_value>"),
        valueEnd: m("</arg_value>"),
      }),
    }),
    examples: [
      {
        text: '<tool_call>weather_map<arg_key>tags</arg_key><arg_value>["x","y"]</arg_value></tool_call><tool_call>weather<arg_key>city</arg_key><arg_value></arg_value></tool_call><tool_call>now</tool_call>',
        calls: [
          ["weather_map", { tags: ["x", "y"] }],
          ["weather", { city: "" }],
          ["now", {}],
        ],
      },
    ],
  },
  {
    name: "MiniMax M3",
    syntax: syntax({
      section: ["]<]minimax[><tool_call>\n", "\n", "\n]<]minimax[></tool_call>"],
      start: m(']<]minimax[><invoke name="'),
      nameEnd: m('">'),
      end: m("]<]minimax[></invoke>"),
      arguments: tagged({
        start: m("]<]minimax[><"),
        nameEnd: m(">"),
        valueEnd: m("]<]minimax[></", ARGUMENT, ">"),
        values: { type: "nested", item: "item" },
      }),
    }),
    examples: [
      {
        text: ']<]minimax[><tool_call>\n]<]minimax[><invoke name="weather">]<]minimax[><city>Oslo]<]minimax[></city>]<]minimax[><days>3]<]minimax[></days>]<]minimax[></invoke>\n]<]minimax[><invoke name="weather_map">]<]minimax[><area>]<]minimax[><north>59.5]<]minimax[></north>]<]minimax[><label>a b]<]minimax[></label>]<]minimax[></area>]<]minimax[><tags>]<]minimax[><item>x]<]minimax[></item>]<]minimax[><item>y]<]minimax[></item>]<]minimax[></tags>]<]minimax[></invoke>\n]<]minimax[><invoke name="now">]<]minimax[></invoke>\n]<]minimax[></tool_call>',
        calls: [
          ["weather", { city: "Oslo", days: 3 }],
          ["weather_map", { area: MAP.area, tags: MAP.tags }],
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
    name: "Gemma 4",
    tokens: ["<|tool_call>", "<tool_call|>", '<|"|>'],
    syntax: syntax({
      start: m("<|tool_call>call:"),
      nameEnd: m("{"),
      end: m("}<tool_call|>"),
      arguments: tagged({
        nameEnd: m(":"),
        separator: m(","),
        strings: "as-others",
        values: { type: "bare-keys", quote: '<|"|>' },
      }),
    }),
    examples: [
      {
        text: '<|tool_call>call:weather{city:<|"|>Oslo<|"|>,days:3}<tool_call|>',
        calls: [["weather", { city: "Oslo", days: 3 }]],
      },
      {
        text: '<|tool_call>call:weather{city:<|"|>Os"l}o<|"|>,days:3,metric:true}<tool_call|><|tool_call>call:weather_map{area:{label:<|"|>a b<|"|>,north:59.5},tags:[<|"|>x<|"|>,<|"|>y<|"|>],note:null}<tool_call|><|tool_call>call:now{}<tool_call|>',
        calls: [
          ["weather", { ...OSLO, city: 'Os"l}o' }],
          ["weather_map", MAP],
          ["now", {}],
        ],
      },
    ],
  },
  {
    name: "LFM2",
    tokens: ["<|tool_call_start|>", "<|tool_call_end|>"],
    syntax: syntax({
      section: ["<|tool_call_start|>[", ", ", "]<|tool_call_end|>"],
      start: [],
      nameEnd: m("("),
      end: m(")"),
      arguments: tagged({
        nameEnd: m("="),
        separator: m(", "),
        strings: "as-others",
        values: { type: "python" },
      }),
    }),
    examples: [
      {
        text: `<|tool_call_start|>[weather(city='Oslo', days=3, metric=True), now()]<|tool_call_end|>`,
        calls: [
          ["weather", OSLO],
          ["now", {}],
        ],
      },
      {
        text: `<|tool_call_start|>[weather(city="O's)lo", days=3, metric=True), weather_map(area={'north': 59.5, 'label': 'a b'}, tags=['x', "y"], note=None), now()]<|tool_call_end|>`,
        calls: [
          ["weather", { ...OSLO, city: "O's)lo" }],
          ["weather_map", MAP],
          ["now", {}],
        ],
      },
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
    name: "Muse",
    tokens: ["<|message|>", "<|eom|>", "<|eot|>", "<|start|>"],
    syntax: syntax(
      {
        section: ["", "<|eom|><|start|>assistant", ""],
        start: m(" to="),
        nameEnd: m('<|message|><atem:function_calls>\n<atem:invoke name="', NAME, '">\n'),
        end: m("</atem:invoke>\n</atem:function_calls>"),
        arguments: tagged({
          start: m('<atem:parameter name="'),
          nameEnd: m('">'),
          valueEnd: m("</atem:parameter>\n"),
        }),
      },
      { isOpened: true, text: { start: " to=user<|message|>", end: "<|eom|><|start|>assistant" } },
    ),
    examples: [
      {
        text: ' to=weather<|message|><atem:function_calls>\n<atem:invoke name="weather">\n<atem:parameter name="city">Oslo</atem:parameter>\n</atem:invoke>\n</atem:function_calls><|eom|><|start|>assistant to=now<|message|><atem:function_calls>\n<atem:invoke name="now">\n</atem:invoke>\n</atem:function_calls>',
        calls: [
          ["weather", { city: "Oslo" }],
          ["now", {}],
        ],
      },
      { text: " to=user<|message|>Hello", content: "Hello", calls: [] },
    ],
  },
  {
    name: "MiniCPM5",
    syntax: syntax({
      section: ["", "\n", ""],
      start: m('<function name="'),
      nameEnd: m('">'),
      end: m("</function>"),
      arguments: tagged({
        start: m('<param name="'),
        nameEnd: m('">'),
        valueEnd: m("</param>"),
        stringWrap: { start: "<![CDATA[", end: "]]>" },
      }),
    }),
    examples: [
      {
        text: '<function name="weather"><param name="city"><![CDATA[a </param> b]]></param><param name="days">3</param></function>\n<function name="weather"><param name="city">Oslo</param></function>',
        calls: [
          ["weather", { city: "a </param> b", days: 3 }],
          ["weather", { city: "Oslo" }],
        ],
      },
      {
        text: '<function name="weather"><param name="city"><![CDATA[a </param> b]]></param><param name="days">3</param></function>\n<function name="weather"><param name="city"><!b</param></function>',
        calls: [
          ["weather", { city: "a </param> b", days: 3 }],
          ["weather", { city: "<!b" }],
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

/** The control tokens of a family, with ids of their own. */
export function tokensOf({ tokens = [] }: Family): readonly ControlToken[] {
  return tokens.map((text, at) => ({ id: 1000 + at, text }))
}
