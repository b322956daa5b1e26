import { dlopen, ptr } from "bun:ffi"

/** A datagram socket like systemd's; `@` for an abstract name. */
export function bindSocket(name: string) {
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
    /** The messages received so far, one per datagram: a send is complete when it returns. */
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
