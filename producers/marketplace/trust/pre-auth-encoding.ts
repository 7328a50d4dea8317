export const IN_TOTO = 'application/vnd.in-toto+json'

/** What a DSSE signature is over: type and payload, each with its length. */
export const preAuthEncoding = (type: string, payload: Uint8Array): Buffer =>
  Buffer.concat([
    Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `),
    Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength),
  ])
