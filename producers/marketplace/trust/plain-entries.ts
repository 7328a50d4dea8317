type Proof = { checkpoint?: { envelope: string } | null }
type Entry = { inclusionProof?: Proof | null }
type WithEntries = { verificationMaterial: { tlogEntries?: readonly unknown[] | null } }

/** What a log is called in its checkpoints: a host, perhaps with a path. */
const NAMED = /^\u2014 [\w.:/-]{1,200} [\w+/=]{1,2000}$/

/**
 * A bundle whose log entries hold only what the library can be given: a proof without a checkpoint (v0.1 had such) proves
 * nothing and makes it fail, and the name of whoever signed a checkpoint goes into a regular expression there. Signatures
 * of witnesses with other names are not ours to judge; they are no part of what the log signed.
 */
export const withPlainEntries = <B extends WithEntries>(bundle: B): B => ({
  ...bundle,
  verificationMaterial: {
    ...bundle.verificationMaterial,
    tlogEntries: (bundle.verificationMaterial.tlogEntries ?? []).map((entry) => plain(entry as Entry)),
  },
})

function plain({ inclusionProof, ...entry }: Entry): object {
  const checkpoint = inclusionProof?.checkpoint
  if (!checkpoint) return entry
  const lines = checkpoint.envelope.split('\n').filter((line) => !line.startsWith('\u2014') || NAMED.test(line))
  return { ...entry, inclusionProof: { ...inclusionProof, checkpoint: { envelope: lines.join('\n') } } }
}
