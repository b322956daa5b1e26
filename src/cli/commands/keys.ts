import { findPaths } from "../../config/paths"
import { UsageError } from "../../errors/cli"
import { BODY_BYTES } from "../../limits"
import { KeyFolder, type TrustedKey } from "../../store/keys"
import { defineCommand } from "../args/command"
import { switchFlag } from "../args/flags"
import { readGiven } from "../terminal/given-file"
import type { Io } from "../terminal/io"
import { printable, table, toJson } from "../terminal/output"

/** A key with all its signatures is some hundred kilobytes. */
const MAX_KEYS_BYTES = BODY_BYTES.other

/** Digits of a fingerprint shown in tables: the usual key id. */
const ID_DIGITS = 16

export const command = defineCommand({
  name: "keys",
  summary: "Manage trusted signing keys",
  words: "add|list|rm [FILE|-|ID]",
  minimumWords: 1,
  maximumWords: 2,
  details: `Keeps OpenPGP public keys in ~/.xllm/keys. 'xllm pull --verify', or the setting pgp.verify, accepts only files signed
by one of them.

'add FILE' trusts the keys in a file (- for standard input), 'list' lists the trusted keys, 'rm ID' stops trusting a key.`,
  examples: [
    { line: "xllm keys add publisher.asc", does: "trust a publisher" },
    { line: "curl -s https://example.org/key.asc | xllm keys add -", does: "from standard input" },
    { line: "xllm keys list --json", does: "as JSON" },
    { line: "xllm keys rm 2904E4B1123140E0", does: "stop trusting a key" },
  ],
  flags: { json: switchFlag("print JSON") },
  async run({ flags, words: [action, operand], io }) {
    const keys = new KeyFolder(findPaths(io.environment).keys)
    switch (action) {
      case "add":
        return show(await addKeys(operand, keys, io), "trusted", flags.json, io)
      case "list":
      case "ls":
        return list(await keys.list(), flags.json, io)
      case "rm": {
        if (operand === undefined) throw new UsageError("keys rm needs an ID; see 'xllm keys list'")
        return show([await keys.remove(operand)], "no longer trusted", flags.json, io)
      }
      default:
        throw new UsageError(`unknown action '${action}'; use add, list or rm`)
    }
  },
})

async function addKeys(operand: string | undefined, keys: KeyFolder, io: Io): Promise<readonly TrustedKey[]> {
  if (operand === undefined) throw new UsageError("keys add needs a FILE, or - for standard input")
  if (operand === "-") return await keys.add(await pipedKeys(io), "standard input")
  return await keys.add(await readGiven(operand, "a key file", MAX_KEYS_BYTES), operand)
}

async function pipedKeys(io: Io): Promise<Uint8Array> {
  // As bytes: a key without armor is binary.
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of io.inputBytes()) {
    length += chunk.length
    if (length > MAX_KEYS_BYTES) throw new UsageError("standard input is larger than a key file may be")
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function show(keys: readonly TrustedKey[], what: string, asJson: boolean | undefined, io: Io): void {
  if (asJson) return io.write(toJson({ keys: keys.map(toItem) }))
  for (const key of keys) io.write(`${what}: ${idOf(key)} ${printable(key.users.join(", "))}\n`)
}

function list(keys: readonly TrustedKey[], asJson: boolean | undefined, io: Io): void {
  if (asJson) return io.write(toJson({ keys: keys.map(toItem) }))
  const rows = keys.map((key) => [
    idOf(key),
    printable(key.users.join(", ")),
    day(key.createdAt),
    key.expiresAt === undefined ? "never" : day(key.expiresAt),
  ])
  io.write(table(["ID", "USER", "CREATED", "EXPIRES"], rows))
}

function toItem({ fingerprint, users, createdAt, expiresAt }: TrustedKey) {
  return {
    fingerprint: fingerprint.toUpperCase(),
    users,
    created_at: createdAt.toISOString(),
    expires_at: expiresAt?.toISOString() ?? null,
  }
}

function idOf({ fingerprint }: TrustedKey): string {
  return fingerprint.slice(-ID_DIGITS).toUpperCase()
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10)
}
