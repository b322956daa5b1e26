import { afterAll, describe, expect, jest, test } from "bun:test"
import { dlopen, ptr } from "bun:ffi"
import { join } from "node:path"
import { serviceManager } from "../../src/cli/systemd"
import { tempFolder } from "../support/temp-folder"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

/** A datagram socket as systemd listens on; `@` for an abstract name. */
function bindSocket(name: string) {
  const { symbols } = dlopen("libc.so.6", {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
    recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
    close: { args: ["i32"], returns: "i32" },
  })
  const [AF_UNIX, SOCK_DGRAM, MSG_DONTWAIT] = [1, 2, 0x40]
  const path = Buffer.from(name.replace(/^@/, "\0"))
  const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), path, Buffer.alloc(name.startsWith("@") ? 0 : 1)])
  const socket = symbols.socket(AF_UNIX, SOCK_DGRAM, 0)
  if (symbols.bind(socket, ptr(address), address.length) !== 0) throw new Error(`cannot bind ${name}`)
  return {
    /** What has arrived, one text a datagram: a send is complete when it returns. */
    take(): readonly string[] {
      const texts: string[] = []
      const buffer = Buffer.alloc(4096)
      for (;;) {
        const length = Number(symbols.recv(socket, ptr(buffer), buffer.length, MSG_DONTWAIT))
        if (length < 0) return texts
        texts.push(buffer.toString("utf8", 0, length))
      }
    },
    [Symbol.dispose]: () => void symbols.close(socket),
  }
}

describe.skipIf(process.platform !== "linux")("systemd is told", () => {
  test.each([join(folder.path, "notify"), `@xllm-test-${process.pid}`])(
    "how the server does, on %s",
    (name) => {
      using socket = bindSocket(name)
      using manager = serviceManager({ NOTIFY_SOCKET: name })
      manager.status("loading\nsmol")
      manager.ready()
      manager.reloading()
      manager.stopping()
      expect(socket.take()).toEqual([
        "STATUS=loading smol",
        `READY=1\nMAINPID=${process.pid}`,
        "RELOADING=1",
        "STOPPING=1",
      ])
    },
  )

  test.each([
    ["this process", String(process.pid), 2],
    ["whoever was started", "", 2],
    ["another process", "1", 0],
  ])("twice in the time it allows that %s is alive", (_who, pid, count) => {
    jest.useFakeTimers()
    try {
      using socket = bindSocket(`@xllm-watchdog-${process.pid}-${pid}`)
      const environment = { NOTIFY_SOCKET: `@xllm-watchdog-${process.pid}-${pid}`, WATCHDOG_USEC: "30000000" }
      const manager = serviceManager({ ...environment, WATCHDOG_PID: pid })
      jest.advanceTimersByTime(30_000)
      expect(socket.take()).toEqual(Array<string>(count).fill("WATCHDOG=1"))
      manager[Symbol.dispose]()
      jest.advanceTimersByTime(30_000)
      expect(socket.take()).toEqual([])
    } finally {
      jest.useRealTimers()
    }
  })

  test.each(["", "vsock:2:1234", `/${"x".repeat(200)}`, "/nowhere/at/all"])(
    "nothing where nobody can listen: %p",
    (name) => {
      using manager = serviceManager({ NOTIFY_SOCKET: name })
      expect(() => manager.ready()).not.toThrow()
    },
  )
})
