import { httpError } from '../../platform/http/errors.ts'

/** After which number of which feed to go on. */
export type FeedCursor = { epoch: string; after: bigint }

export const cursorText = ({ epoch, after }: FeedCursor): string =>
  Buffer.from(JSON.stringify([epoch, String(after)])).toString('base64url')

/** Throws 400 `parameter_invalid` for what this call never gave. */
export function readCursor(text: string): FeedCursor {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
    if (Array.isArray(value) && value.length === 2) {
      const [epoch, after] = value
      const isEpoch = typeof epoch === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(epoch)
      if (isEpoch && typeof after === 'string' && /^(0|[1-9]\d{0,17})$/.test(after))
        return { epoch, after: BigInt(after) }
    }
  } catch {
    // Falls through to the same answer: a cursor is opaque, so there is nothing more to say about it.
  }
  throw httpError('parameter_invalid', '`cursor` is not one that this call gave')
}
