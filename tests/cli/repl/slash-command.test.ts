import { describe, expect, test } from "bun:test"
import { parseSlashCommand } from "../../../src/cli/repl/slash-command"

describe("a line with a slash", () => {
  test.each<[string, unknown]>([
    ["/?", { type: "help", topic: "commands" }],
    ["/help set", { type: "help", topic: "set" }],
    ["/? /show", { type: "help", topic: "show" }],
    ["/bye", { type: "exit" }],
    ["/exit  ", { type: "exit" }],
    ["/clear", { type: "clear" }],
    ["/set", { type: "help", topic: "set" }],
    ["/show", { type: "help", topic: "show" }],
    ["/set parameter top_k 5", { type: "set-parameter", name: "top_k", values: ["5"] }],
    ["/set parameter stop a b", { type: "set-parameter", name: "stop", values: ["a", "b"] }],
    ["/set system You  are\na pirate", { type: "set-system", text: "You  are\na pirate" }],
    ["/set system", { type: "set-system", text: "" }],
    ["/set verbose", { type: "set-verbose", isOn: true }],
    ["/set quiet", { type: "set-verbose", isOn: false }],
    ["/set nohistory", { type: "set-history", isOn: false }],
    ["/set wordwrap", { type: "set-wordwrap", isOn: true }],
    ["/set nowordwrap", { type: "set-wordwrap", isOn: false }],
    ["/set think", { type: "set-think", value: "true" }],
    ["/set think low", { type: "set-think", value: "low" }],
    ["/set nothink", { type: "set-think", value: "false" }],
    ["/save mine:v1", { type: "save", name: "mine:v1" }],
    ["/show modelfile", { type: "show", topic: "modelfile" }],
    ["/show info", { type: "show", topic: "info" }],
    ["/show template", { type: "show", topic: "template" }],
    ["/load ./my model.gguf", { type: "load", model: "./my model.gguf" }],
    ["/list", { type: "list", prefix: "" }],
    ["/list smol", { type: "list", prefix: "smol" }],
  ])("%j is a command", (line, command) => {
    expect(parseSlashCommand(line)).toEqual(command as never)
  })

  test.each([
    ["/bey", "Unknown command '/bey'. Did you mean /bye? Type /? for help"],
    ["/frobnicate", "Unknown command '/frobnicate'. Type /? for help"],
    ["/set parmeter x 1", "Did you mean /set parameter?"],
    ["/show inof", "Did you mean /show info?"],
    ["/save", "Usage: /save NAME"],
    ["/load", "Usage: /load MODEL"],
    ["/set think a lot", "Usage: /set think, or /set think LEVEL"],
    ["/set parameter", "Usage: /set parameter NAME VALUE"],
  ])("%j is a mistake", (line, words) => {
    const command = parseSlashCommand(line)
    expect(command?.type === "mistake" && command.text).toContain(words)
  })

  test.each(["hello", "/usr/bin/env is what?", "a /bye b", ""])("%j is a message", (line) => {
    expect(parseSlashCommand(line)).toBeUndefined()
  })
})
