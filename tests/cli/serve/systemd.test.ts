import { afterAll, describe, expect, jest, spyOn, test } from "bun:test"
import { join } from "node:path"
import { serviceManager } from "../../../src/cli/serve/systemd"
import { bindSocket } from "../../support/fakes/notify-socket"
import { tempFolder } from "../../support/temp-folder"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

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

  test("nothing for weeks where it allows any time: longer timers would fire at once", () => {
    const timer = spyOn(globalThis, "setInterval")
    using socket = bindSocket(`@xllm-watchdog-${process.pid}-any`)
    const environment = {
      NOTIFY_SOCKET: `@xllm-watchdog-${process.pid}-any`,
      WATCHDOG_USEC: "18446744073709551615",
    }
    using _manager = serviceManager(environment)
    expect(timer.mock.lastCall?.[1]).toBe(24 * 86_400_000)
    expect(socket.take()).toEqual([])
    timer.mockRestore()
  })

  test.each(["", "vsock:2:1234", `/${"x".repeat(200)}`, "/nowhere/at/all"])(
    "nothing where nobody can listen: %p",
    (name) => {
      using manager = serviceManager({ NOTIFY_SOCKET: name })
      expect(() => manager.ready()).not.toThrow()
    },
  )
})
