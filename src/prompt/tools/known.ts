import { ANY_ID, type Marker, markerText, type ToolSyntax } from "./syntax"

/** A family whose template does not show its calls, or not as its models write them. */
interface KnownSyntax {
  /** Texts of the template, of which it has all. */
  readonly marks: readonly string[]
  readonly syntax: ToolSyntax
  /** Used even if something can be learned from the template. */
  readonly isPreferred?: boolean
}

const NOTHING: Marker = []

const BASE = {
  origin: "known",
  sectionStart: NOTHING,
  separator: NOTHING,
  sectionEnd: NOTHING,
  isParallel: true,
  idForm: ANY_ID,
} as const satisfies Partial<ToolSyntax>

const JSON_ARGUMENTS = { type: "json" } as const

function harmonyCall(start: string, nameEnd: string) {
  return {
    start: markerText(start),
    nameEnd: markerText(nameEnd),
    arguments: JSON_ARGUMENTS,
    end: markerText("<|call|>"),
  }
}

const KNOWN: readonly KnownSyntax[] = [
  {
    // GPT-OSS: its template puts the recipient before the channel; models write either.
    marks: ["<|channel|>", "to=", "functions."],
    isPreferred: true,
    syntax: {
      ...BASE,
      call: harmonyCall(" to=functions.", "<|channel|>commentary <|constrain|>json<|message|>"),
      variants: [
        harmonyCall(" to=functions.", "<|channel|>commentary json<|message|>"),
        harmonyCall("<|channel|>commentary to=functions.", " <|constrain|>json<|message|>"),
        harmonyCall("<|channel|>commentary to=functions.", "<|message|>"),
      ],
      isParallel: false,
      text: { start: "<|channel|>final<|message|>", end: "" },
      dropped: ["<|start|>assistant", "<|channel|>commentary<|message|>", "<|end|>"],
    },
  },
  {
    // Functionary v3.2: the prompt opens with `>>>` what is either a function or `all`, which is text.
    marks: [">>>all", ">>>${recipient}"],
    isPreferred: true,
    syntax: {
      ...BASE,
      call: { start: NOTHING, nameEnd: markerText("\n"), arguments: JSON_ARGUMENTS, end: NOTHING },
      separator: markerText(">>>"),
      text: { start: "all\n", end: ">>>" },
      isOpened: true,
    },
  },
  {
    // LFM2: lists of calls as Python writes them.
    marks: ["List of tools: "],
    syntax: {
      ...BASE,
      sectionStart: markerText("<|tool_call_start|>["),
      call: {
        start: NOTHING,
        nameEnd: markerText("("),
        arguments: {
          type: "tagged",
          start: NOTHING,
          nameEnd: markerText("="),
          valueEnd: NOTHING,
          separator: markerText(", "),
          strings: "as-others",
          values: { type: "python" },
        },
        end: markerText(")"),
      },
      separator: markerText(", "),
      sectionEnd: markerText("]<|tool_call_end|>"),
    },
  },
  {
    // Granite 3.
    marks: ["available_tools", "<|tool_call|>"],
    syntax: {
      ...BASE,
      sectionStart: markerText("<|tool_call|>["),
      call: {
        start: markerText('{"name": "'),
        nameEnd: markerText('", "arguments": '),
        arguments: JSON_ARGUMENTS,
        end: markerText("}"),
      },
      separator: markerText(", "),
      sectionEnd: markerText("]"),
    },
  },
  {
    // Command R+.
    marks: ["Action:", "```json", '"tool_name"'],
    syntax: {
      ...BASE,
      sectionStart: markerText("Action:\n```json\n["),
      call: {
        start: markerText('\n    {\n        "tool_name": "'),
        nameEnd: markerText('",\n        "parameters": '),
        arguments: JSON_ARGUMENTS,
        end: markerText("\n    }"),
      },
      separator: markerText(","),
      sectionEnd: markerText("\n]```"),
    },
  },
  {
    // Command R7B and later.
    marks: ["<|START_ACTION|>", "tool_call_id"],
    syntax: {
      ...BASE,
      sectionStart: markerText("<|START_ACTION|>["),
      call: {
        start: [
          { type: "text", text: '\n    {"tool_call_id": "' },
          { type: "index", first: 0, runsOn: true },
          { type: "text", text: '", "tool_name": "' },
        ],
        nameEnd: markerText('", "parameters": '),
        arguments: JSON_ARGUMENTS,
        end: markerText("}"),
      },
      separator: markerText(","),
      sectionEnd: markerText("\n]<|END_ACTION|>"),
    },
  },
  {
    // Gemma 4.
    marks: ["<|tool_call>call:"],
    syntax: {
      ...BASE,
      call: {
        start: markerText("<|tool_call>call:"),
        nameEnd: markerText("{"),
        arguments: {
          type: "tagged",
          start: NOTHING,
          nameEnd: markerText(":"),
          valueEnd: NOTHING,
          separator: markerText(","),
          strings: "as-others",
          values: { type: "bare-keys", quote: '<|"|>' },
        },
        end: markerText("}<tool_call|>"),
      },
    },
  },
]

/** The syntax of calls said in the system prompt to models that were trained on none, and that of Hermes and Qwen. */
export const GENERIC_SYNTAX: ToolSyntax = {
  ...BASE,
  origin: "generic",
  call: {
    start: markerText('<tool_call>\n{"name": "'),
    nameEnd: markerText('", "arguments": '),
    arguments: JSON_ARGUMENTS,
    end: markerText("}\n</tool_call>"),
  },
  separator: markerText("\n"),
}

/** The syntax of a family, recognized by texts of its template. */
export function knownSyntax(source: string, onlyPreferred: boolean): ToolSyntax | undefined {
  return KNOWN.find(
    ({ marks, isPreferred = false }) =>
      (isPreferred || !onlyPreferred) && marks.every((text) => source.includes(text)),
  )?.syntax
}

/** Templates that say in their own words to write calls as Hermes does, and show none (SmolLM3). */
export function tellsOfHermes(source: string): boolean {
  return source.includes("<tool_call>") && source.includes("</tool_call>")
}
