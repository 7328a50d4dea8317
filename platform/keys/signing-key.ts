/** The public half of a version of a key. `keyId` is base64 of SHA-256 of the DER SPKI. */
export type PublicHalf = { keyId: string; pem: string }

/**
 * A private key that signs and never shows itself, be it in a file or behind a service that keeps keys (transit of
 * Vault and OpenBao): every call may take time and may fail. It has versions; the newest signs, all stay known.
 */
export type SigningKey = {
  /** ECDSA P-256 over SHA-256 of `bytes`, DER, and which version made it. */
  sign(bytes: Uint8Array): Promise<{ keyId: string; signature: Buffer }>
  /** Oldest first: the last one signs. */
  publicKeys(): Promise<readonly PublicHalf[]>
}
