import { EFFORTS } from "../../domain/effort"
import { afterUser, type RenderProbe, USER_PROBE } from "../tools/learn/probes"

type Variables = Readonly<Record<string, unknown>>

/** How a template is told to open no thinking, to open it, and how much. */
export interface ThinkingSwitches {
  readonly off: Variables
  readonly on: Variables
  /** Is there a prompt that opens no thinking, and another? */
  readonly canDisable: boolean
  /** The efforts that the template accepts, weakest first; absent: any. */
  readonly efforts?: readonly string[]
}

/** Variables of published templates that open no thinking. */
const OFF: readonly Variables[] = [
  { thinking: false },
  { thinking_mode: "disabled" },
  { reasoning_effort: "none" },
  { reasoning_effort: "no_think" },
]

const ON: readonly Variables[] = [
  { thinking: true },
  { thinking_mode: "enabled" },
  { reasoning_effort: "high" },
]

export function learnSwitches(render: RenderProbe, marker: { readonly start: string }): ThinkingSwitches {
  const rendered = (variables: Variables): string | undefined =>
    render([USER_PROBE], { opensAnswer: true, variables })
  const opens = (text: string | undefined): boolean => text?.trimEnd().endsWith(marker.start) === true
  const plain = rendered({})
  const off = effective({ enable_thinking: false }, OFF, rendered, (text) => !opens(text))
  const on = effective({ enable_thinking: true }, ON, rendered, opens)
  const efforts = EFFORTS.filter((effort) => effort !== "none")
  const accepted = efforts.filter((effort) => rendered(effortVariables(effort)) !== undefined)
  return {
    off,
    on,
    canDisable: !opens(rendered(off)) && [off, on].some((variables) => rendered(variables) !== plain),
    ...(accepted.length < efforts.length && accepted.length > 0 && { efforts: accepted }),
  }
}

/** Adds those of `candidates` that change the prompt as wanted; an effort only if it changes the answer's opening. */
function effective(
  base: Variables,
  candidates: readonly Variables[],
  rendered: (variables: Variables) => string | undefined,
  isWanted: (text: string) => boolean,
): Variables {
  let variables = base
  for (const candidate of candidates) {
    const before = rendered(variables)
    const text = rendered({ ...variables, ...candidate })
    if (text === undefined || text === before || !isWanted(text)) continue
    const isEffort = "reasoning_effort" in candidate
    if (isEffort && afterUser(text) === afterUser(before)) continue
    variables = { ...variables, ...candidate }
  }
  return variables
}

/** The variables for an effort, by the names of published templates. */
export function effortVariables(effort: string): Variables {
  return { reasoning_effort: effort, thinking_effort: effort }
}

/** The accepted effort that is nearest to the requested one. */
export function nearestEffort(effort: string, accepted: readonly string[] | undefined): string {
  const strength = (name: string): number => EFFORTS.findIndex((known) => known === name)
  const wanted = strength(effort)
  if (accepted === undefined || wanted === -1 || accepted.includes(effort)) return effort
  const distance = (name: string): number => Math.abs(strength(name) - wanted)
  return accepted.toSorted((a, b) => distance(a) - distance(b))[0] ?? effort
}
