export type Environment = Readonly<Record<string, string | undefined>>

/** The process's environment; nothing else in the project reads `process.env`. */
export function processEnvironment(): Environment {
  return process.env
}
