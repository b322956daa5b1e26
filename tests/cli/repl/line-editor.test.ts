import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { startChatServer } from "../../support/chat-server"
import { startSession } from "../../support/pty"
import { tempFolder } from "../../support/temp-folder"

const HINT = "Send a message (/? for help)"
const CTRL_C = "\x03"
const CTRL_D = "\x04"
const UP = "\x1b[A"

const echo = { answer: (question: string) => ["You said ", JSON.stringify(question)] }

describe("on a terminal", () => {
  test("a conversation is held, and its lines are there the next time", async () => {
    using server = startChatServer(echo)
    using folder = tempFolder()
    const options = { argv: ["run", "smol", "--host", server.url], environment: { XLLM_HOME: folder.path } }
    {
      await using session = startSession(options)
      await session.see(HINT)
      session.type("hello\r")
      expect(await session.see(HINT)).toContain('You said "hello"')
      session.type("/bye\r")
      expect(await session.exited).toBe(0)
    }
    expect(await Bun.file(join(folder.path, "history")).text()).toBe("hello\n/bye\n")
    await using session = startSession(options)
    await session.see(HINT)
    session.type(`${UP}${UP}\r`)
    expect(await session.see(HINT)).toContain('You said "hello"')
    session.type(CTRL_D)
    expect(await session.exited).toBe(0)
  })

  test("pasted lines are one message", async () => {
    using server = startChatServer(echo)
    using folder = tempFolder()
    await using session = startSession({
      argv: ["run", "smol", "--host", server.url],
      environment: { XLLM_HOME: folder.path },
    })
    await session.see(HINT)
    session.type("\x1b[200~one\rtwo\x1b[201~\r")
    expect(await session.see(HINT)).toContain('You said "one\\ntwo"')
  })

  test("Ctrl-C drops a line, and says how to leave where there is none", async () => {
    using server = startChatServer(echo)
    using folder = tempFolder()
    await using session = startSession({
      argv: ["run", "smol", "--host", server.url],
      environment: { XLLM_HOME: folder.path },
    })
    await session.see(HINT)
    session.type("half a li")
    await session.see("half a li")
    session.type(CTRL_C)
    await session.see(HINT)
    session.type(CTRL_C)
    await session.see("Use Ctrl + d or /bye to exit.")
    await session.see(HINT)
    session.type("whole\r")
    expect(await session.see(HINT)).toContain('You said "whole"')
    expect(server.asked).toHaveLength(1)
  })

  test("Ctrl-C stops an answer, and the conversation goes on", async () => {
    using server = startChatServer({ staysOpen: true })
    using folder = tempFolder()
    await using session = startSession({
      argv: ["run", "smol", "--host", server.url],
      environment: { XLLM_HOME: folder.path },
    })
    await session.see(HINT)
    session.type("hi\r")
    await session.see("Hello, world")
    session.type(CTRL_C)
    await session.see(HINT)
    session.type(CTRL_D)
    expect(await session.exited).toBe(0)
  })

  test("a pasted text is one entry of the history", async () => {
    using server = startChatServer(echo)
    using folder = tempFolder()
    await using session = startSession({
      argv: ["run", "smol", "--host", server.url],
      environment: { XLLM_HOME: folder.path },
    })
    await session.see(HINT)
    const lines = Array.from({ length: 200 }, (_, index) => `line ${index}`)
    session.type(`\x1b[200~${lines.join("\r")}\x1b[201~\r`)
    await session.see(HINT)
    session.type(`${UP}!\r`)
    await session.see(HINT)
    expect(server.asked.map(({ messages }) => (messages as { content: string }[]).at(-1)?.content)).toEqual([
      lines.join("\n"),
      `${lines.join("\n")}!`,
    ])
  })

  test("Ctrl-R finds what was typed before", async () => {
    using server = startChatServer(echo)
    using folder = tempFolder()
    await Bun.write(join(folder.path, "history"), "the first\nthe second\nnew\n")
    await using session = startSession({
      argv: ["run", "smol", "--host", server.url],
      environment: { XLLM_HOME: folder.path },
    })
    await session.see(HINT)
    session.type("\x12the")
    await session.see("(search)'the': the second")
    session.type("\x12")
    await session.see("(search)'the': the first")
    session.type("\r")
    expect(await session.see(HINT)).toContain('You said "the first"')
  })

  test("Ctrl-Z hands the terminal to the shell, and fg brings the line back", async () => {
    using server = startChatServer(echo)
    using folder = tempFolder()
    const program = `${process.execPath} ${join(import.meta.dir, "../../../src/index.ts")}`
    await using session = startSession({
      program: ["bash", "--norc", "-i"],
      argv: [],
      environment: { XLLM_HOME: folder.path, PATH: process.env["PATH"] ?? "", PS1: "shell> " },
    })
    await session.see("shell> ")
    session.type(`${program} run smol --host ${server.url}\r`)
    await session.see(HINT)
    session.type("half a li")
    await session.see("half a li")
    session.type("\x1a")
    await session.see("Stopped")
    session.type("fg\r")
    await session.see(">>> half a li")
    session.type("ne\r")
    expect(await session.see(HINT)).toContain('You said "half a line"')
  })

  test("a long line is drawn once, whatever is done to it", async () => {
    using server = startChatServer(echo)
    using folder = tempFolder()
    await using session = startSession({
      argv: ["run", "smol", "--host", server.url],
      environment: { XLLM_HOME: folder.path },
      columns: 33,
    })
    await session.see(HINT.slice(0, 28))
    session.type("x".repeat(50))
    await session.see(`\r\n${"x".repeat(21)}`)
    session.type("\x7f")
    // One row up, cleared from there, and two rows written.
    expect(await session.see(`\r\n${"x".repeat(20)}`)).toEndWith(
      `\x1b[1A\r\x1b[J>>> ${"x".repeat(29)}\r\n${"x".repeat(20)}`,
    )
  })

  test("NO_COLOR leaves colours out", async () => {
    using server = startChatServer(echo)
    using folder = tempFolder()
    await using session = startSession({
      argv: ["run", "smol", "--host", server.url],
      environment: { XLLM_HOME: folder.path, NO_COLOR: "1" },
    })
    await session.see(`${HINT}\r\n`)
    session.type("hi\r")
    await session.see("You said")
    session.type(CTRL_D)
    expect(await session.see("\x1b[?2004l")).not.toMatch(/\x1b\[\d+m/)
  })

  test("TERM=dumb is a terminal without any escape codes", async () => {
    using server = startChatServer(echo)
    using folder = tempFolder()
    await using session = startSession({
      argv: ["run", "smol", "--host", server.url],
      environment: { XLLM_HOME: folder.path, TERM: "dumb" },
    })
    const start = await session.see(">>> ")
    session.type("hi\r")
    const answer = await session.see(">>> ")
    session.type("/bye\r")
    expect(await session.exited).toBe(0)
    expect(start + answer).toBe('>>> hi\r\nYou said "hi"\r\n\r\n>>> ')
  })

  test("a model that is not there ends it with an error", async () => {
    using server = startChatServer(echo)
    using folder = tempFolder()
    await using session = startSession({
      argv: ["run", "nope", "--host", server.url],
      environment: { XLLM_HOME: folder.path },
    })
    await session.see("Error: model 'nope' not found")
    expect(await session.exited).toBe(1)
  })
})
