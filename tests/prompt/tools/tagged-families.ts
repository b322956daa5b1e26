import { type Family, ARGUMENT, NAME, MAP, OSLO, index, m, syntax, tagged } from "./family"

export const TAGGED_FAMILIES: readonly Family[] = [
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
]
