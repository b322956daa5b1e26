import { createMessage, generateKey, readPrivateKey, sign } from "openpgp"

/** Signs files with its own key. */
export class Signer {
  /** Armored. */
  readonly publicKey: string
  readonly privateKey: string

  private constructor(keys: { readonly publicKey: string; readonly privateKey: string }) {
    this.publicKey = keys.publicKey
    this.privateKey = keys.privateKey
  }

  static async create(name: string): Promise<Signer> {
    const userIDs = [{ name, email: `${name.toLowerCase()}@example.org` }]
    return new Signer(await generateKey({ userIDs, format: "armored" }))
  }

  /** A detached signature. */
  async sign(content: Uint8Array): Promise<string> {
    return await sign({
      message: await createMessage({ binary: content }),
      signingKeys: await readPrivateKey({ armoredKey: this.privateKey }),
      detached: true,
      format: "armored",
    })
  }

  /** The same without armor. */
  async signBinary(content: Uint8Array): Promise<Uint8Array> {
    return await sign({
      message: await createMessage({ binary: content }),
      signingKeys: await readPrivateKey({ armoredKey: this.privateKey }),
      detached: true,
      format: "binary",
    })
  }
}
