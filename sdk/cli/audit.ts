import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type Command, EXIT, show, text, UsageError } from './command.ts'

type Envelope = { payload: string; payloadType: string; signatures: { sig: string; keyid: string }[] }
type Page = { entries: { entry: string; sha256: string }[]; checkpoints: Envelope[]; next: string | null }
type Keys = { keys: { key_id: string; public_key: string }[] }
type Head = { seq: number; sha256: string }
export type Audit = { head: Head; checkpoints: number; signedTo: number; fault: string | null }

const PAGE = '500'
const CHECKPOINT = 'application/vnd.atom.audit-checkpoint+json'
const sha256 = (of: string | Uint8Array) => createHash('sha256').update(of).digest()

/**
 * Follows the chain page by page: every entry hashes to what it says and names the hash before it, every checkpoint is
 * signed by one of `keys` and says what the chain says. Stops at the first fault.
 */
export async function verifyAudit(pages: AsyncIterable<Page>, keys: ReadonlyMap<string, KeyObject>): Promise<Audit> {
  let head: Head = { seq: 0, sha256: sha256('').toString('hex') }
  let checkpoints = 0
  let signedTo = 0
  const broken = (fault: string): Audit => ({ head, checkpoints, signedTo, fault })
  for await (const page of pages) {
    const hashes = new Map<number, string>()
    for (const { entry, sha256: stated } of page.entries) {
      const { seq, previous } = JSON.parse(entry) as { seq: number; previous: string }
      if (seq !== head.seq + 1) return broken(`entry ${head.seq + 1} is missing`)
      if (previous !== head.sha256) return broken(`entry ${seq} does not follow the one before it`)
      if (sha256(entry).toString('hex') !== stated) return broken(`entry ${seq} was changed`)
      head = { seq, sha256: stated }
      hashes.set(seq, stated)
    }
    for (const envelope of page.checkpoints) {
      const { seq, sha256: stated } = JSON.parse(Buffer.from(envelope.payload, 'base64').toString()) as Head
      if (!isSigned(envelope, keys)) return broken(`the checkpoint at entry ${seq} is not signed by a known key`)
      if (hashes.get(seq) !== stated) return broken(`the checkpoint at entry ${seq} says another hash than the chain`)
      checkpoints += 1
      signedTo = seq
    }
  }
  if (signedTo !== head.seq) return broken(`entries after ${signedTo} are under no checkpoint`)
  return { head, checkpoints, signedTo, fault: null }
}

function isSigned({ payload, payloadType, signatures }: Envelope, keys: ReadonlyMap<string, KeyObject>): boolean {
  const bytes = Buffer.from(payload, 'base64')
  const signed = Buffer.concat([Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${bytes.length} `), bytes])
  const [one] = signatures
  const key = one && keys.get(one.keyid)
  return payloadType === CHECKPOINT && !!key && verify('sha256', signed, key, Buffer.from(one.sig, 'base64'))
}

/** The id of a key as envelopes name it. */
const keyIdOf = (key: KeyObject): string => sha256(key.export({ format: 'der', type: 'spki' })).toString('base64')

/** The public keys of a PEM file; one that was rotated, or moved to another place, is several. */
async function keysIn(file: string): Promise<[string, KeyObject][]> {
  try {
    const blocks = (await readFile(file, 'utf8')).match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g)
    if (!blocks) throw new Error('there is no PEM in it')
    return blocks.map((pem) => {
      const key = createPublicKey(pem)
      return [keyIdOf(key), key]
    })
  } catch (cause) {
    throw new UsageError(`--key ${file} is not a readable PEM public key`, { cause })
  }
}

export const auditCommands: Command[] = [
  {
    name: 'audit verify',
    usage: '[--key FILE] [--head SEQ:SHA256]',
    summary:
      'follow the audit log of the marketplace from its first entry; --key checks checkpoints with the public keys you kept in a file, --head that an entry you noted is still there',
    options: { key: { type: 'string' }, head: { type: 'string' } },
    async run(context, values) {
      const file = text(values, 'key')
      const noted = text(values, 'head')
      if (noted !== undefined && !/^\d+:[0-9a-f]{64}$/.test(noted)) throw new UsageError('--head must be SEQ:SHA256')
      const keys = new Map(
        file === undefined
          ? (await context.market.get<Keys>('/registry/keys')).keys.map(({ key_id, public_key }) => [
              key_id,
              createPublicKey(public_key),
            ])
          : await keysIn(file),
      )
      let isThere = noted === undefined
      async function* pages(): AsyncGenerator<Page> {
        let cursor: string | undefined
        do {
          const page: Page = await context.market.get('/registry/audit', { limit: PAGE, cursor })
          isThere ||= page.entries.some(({ entry, sha256 }) => noted === `${JSON.parse(entry).seq}:${sha256}`)
          yield page
          cursor = page.next ?? undefined
        } while (cursor !== undefined)
      }
      const audit = await verifyAudit(pages(), keys)
      const fault = audit.fault ?? (isThere ? null : `the noted entry ${noted} is not in the log any more`)
      const { head, checkpoints } = audit
      await show(context, { ...audit, fault }, () =>
        fault === null
          ? `whole: ${head.seq} entries, ${checkpoints} signed checkpoints, head ${head.seq}:${head.sha256}\n`
          : `BROKEN: ${fault}\n`,
      )
      return fault === null ? EXIT.ok : EXIT.refused
    },
  },
]
