import { dlopen, ptr } from "bun:ffi"
import type { Environment } from "../../config/environment"
import { LONGEST_WAIT_SECONDS } from "../../limits"

/** From linux/socket.h, linux/net.h and bits/socket.h. */
const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const MSG_NOSIGNAL = 0x4000

/** `sizeof(sun_path)` in linux/un.h; a path also needs a terminating zero byte. */
const SUN_PATH_BYTES = 108

/** Reports the server's state to a service manager, by sd_notify(3). */
export interface ServiceManager extends Disposable {
  /** The text that `systemctl status` shows. */
  status(text: string): void
  ready(): void
  /** The configuration is being reloaded; {@link ready} ends this state. */
  reloading(): void
  stopping(): void
}

const NOBODY: ServiceManager = {
  status() {},
  ready() {},
  reloading() {},
  stopping() {},
  [Symbol.dispose]() {},
}

/**
 * The manager that started this process, if any: systemd passes a socket in NOTIFY_SOCKET. Until disposed, it also
 * sends keep-alives, twice per WATCHDOG_USEC, from a timer so that a blocked event loop is noticed. Messages that
 * cannot be sent are lost; the server also runs without its manager.
 */
export function serviceManager(environment: Environment): ServiceManager {
  const path = environment["NOTIFY_SOCKET"]
  if (!path || process.platform !== "linux") return NOBODY
  const address = addressOf(path)
  if (address === undefined) return NOBODY
  const send = (...lines: readonly string[]) => sendDatagram(address, lines.join("\n"))
  const period = watchdogPeriodMs(environment)
  const timer = period === undefined ? undefined : setInterval(() => send("WATCHDOG=1"), period)
  return {
    status: (text) => send(`STATUS=${text.replaceAll("\n", " ")}`),
    ready: () => send("READY=1", `MAINPID=${process.pid}`),
    reloading: () => send("RELOADING=1"),
    stopping: () => send("STOPPING=1"),
    [Symbol.dispose]: () => clearInterval(timer),
  }
}

/** `struct sockaddr_un`; a leading `@` stands for the zero byte of an abstract name. */
function addressOf(path: string): Buffer | undefined {
  if (!/^[/@]/.test(path)) return undefined
  const isAbstract = path.startsWith("@")
  const name = Buffer.from(isAbstract ? `\0${path.slice(1)}` : `${path}\0`)
  if (name.length > SUN_PATH_BYTES) return undefined
  const address = Buffer.alloc(2 + name.length)
  address.writeUInt16LE(AF_UNIX)
  name.copy(address, 2)
  return address
}

/** Half of systemd's limit; `undefined` if it does not watch this process. */
function watchdogPeriodMs(environment: Environment): number | undefined {
  const limit = Number(environment["WATCHDOG_USEC"])
  const watched = environment["WATCHDOG_PID"]
  if (!(limit > 0) || (watched && Number(watched) !== process.pid)) return undefined
  // A longer timer would overflow and fire constantly.
  return Math.min(limit / 1000 / 2, LONGEST_WAIT_SECONDS * 1000)
}

let libc: ReturnType<typeof openLibc> | undefined

function openLibc() {
  return dlopen("libc.so.6", {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i64" },
    close: { args: ["i32"], returns: "i32" },
  }).symbols
}

/** Bun has no Unix datagram sockets. */
function sendDatagram(address: Buffer, text: string): void {
  try {
    libc ??= openLibc()
  } catch {
    return // A different C library: systemd does not support those.
  }
  const socket = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  if (socket < 0) return
  const message = Buffer.from(text)
  libc.sendto(socket, ptr(message), message.length, MSG_NOSIGNAL, ptr(address), address.length)
  libc.close(socket)
}
