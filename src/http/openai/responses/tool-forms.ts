/** How a client knows a function that the model may call. */
export interface ToolForm {
  /** `custom`: it takes one text. `local_shell`: its arguments are a command. */
  readonly kind: "function" | "custom" | "local_shell"
  readonly name: string
  readonly namespace?: string
}

/** By the function's name as the model knows it. */
export type ToolForms = ReadonlyMap<string, ToolForm>

/** The field of a function that stands for a custom tool. */
export const CUSTOM_INPUT = "input"

/** The function that stands for a shell on the client's machine. */
export const LOCAL_SHELL = "local_shell"

/** Of a function's name. */
const LONGEST_NAME = 64

/** A function of a namespace has a name of its own among all functions: the same one each time. */
export function nameForModel(namespace: string | undefined, name: string): string {
  if (namespace === undefined || namespace === "") return name
  const whole = namespace.endsWith("__") ? namespace + name : `${namespace}__${name}`
  if (whole.length <= LONGEST_NAME) return whole
  // The end tells functions apart; what is cut off is in the digits.
  const digits = Bun.hash.xxHash64(whole).toString(36)
  return `${digits}_${whole.slice(-(LONGEST_NAME - digits.length - 1))}`
}

/** The arguments of a shell, as the model writes them, from a call's action and back. */
export interface ShellAction {
  readonly type: "exec"
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly timeout_ms?: number
  readonly working_directory?: string
}

/** JSON Schema of a shell's arguments. */
export const SHELL_PARAMETERS = {
  type: "object",
  properties: {
    command: {
      type: "array",
      items: { type: "string" },
      description: 'The program and its arguments, such as ["bash", "-lc", "ls"]',
    },
    working_directory: { type: "string", description: "The folder to run it in" },
    timeout_ms: { type: "integer", minimum: 0, description: "When to give it up, in milliseconds" },
  },
  required: ["command"],
} as const

/** What the model wrote as a shell's arguments; of a call that was cut off, what is there. */
export function shellActionOf(text: string): ShellAction {
  const { command, working_directory: folder, timeout_ms: timeout } = parsedObject(text)
  return {
    type: "exec",
    command: Array.isArray(command) ? command.map(String) : [],
    env: {},
    ...(typeof timeout === "number" && { timeout_ms: timeout }),
    ...(typeof folder === "string" && { working_directory: folder }),
  }
}

/** The one text of a custom tool's call; of one that was cut off, what is there. */
export function customInputOf(text: string): string {
  const value = parsedObject(text)[CUSTOM_INPUT]
  return value === undefined ? text : String(value)
}

function parsedObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    // Its fields are checked where they are read.
    if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>
  } catch {
    // Cut off.
  }
  return {}
}
