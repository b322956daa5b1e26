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
