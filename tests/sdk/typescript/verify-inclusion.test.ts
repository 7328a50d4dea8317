import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import type { SentRecord, UsageReceiptOf } from '../../../sdk/typescript/answers.ts'
import { AtomError } from '../../../sdk/typescript/atom-error.ts'
import { leafHash, rootOfPath } from '../../../sdk/typescript/merkle.ts'
import { verifyInclusion } from '../../../sdk/typescript/verify-inclusion.ts'

type Case = { name: string; proof: string; record?: SentRecord; receipt?: UsageReceiptOf }
type Vectors = {
  merkle: { leaves: string[]; roots: string[]; paths: { place: number; size: number; path: string[] }[] }
  proofs: (Case & { shows: object })[]
  refused: (Case & { pointer: string | null })[]
}
const source = new URL('../proof-vectors.json', import.meta.url)
const { merkle, proofs, refused } = JSON.parse(readFileSync(source, 'utf8')) as Vectors
const bytes = (hex: string) => Buffer.from(hex, 'hex')
const verify = ({ proof, record, receipt }: Case) => verifyInclusion(JSON.parse(proof), { record, receipt })
const refusal = (one: Case): AtomError | null => {
  try {
    verify(one)
    return null
  } catch (error) {
    if (error instanceof AtomError) return error
    throw error
  }
}

describe('sdk/typescript proofs (tests/sdk/proof-vectors.json)', () => {
  it('has the paths that certificate transparency publishes', () => {
    for (const { place, size, path } of merkle.paths) {
      const leaf = leafHash(bytes(merkle.leaves[place] as string))
      const at = (size: number, place: number) => rootOfPath(leaf, place, size, path.map(bytes))?.toString('hex')
      expect(at(size, place), `leaf ${place} of ${size}`).to.equal(merkle.roots[size - 1])
      for (const other of [-1, size, place + 0.5]) expect(at(size, other)).to.equal(undefined)
    }
  })

  for (const one of proofs) {
    it(`takes a proof ${one.name}, and what it shows`, () => {
      expect(verify(one)).to.deep.equal(one.shows)
    })

    it(`refuses a proof ${one.name} with any byte changed`, () => {
      const whole = Buffer.from(one.proof)
      const taken: string[] = []
      for (const bit of [1, 2, 32])
        for (let at = 0; at < whole.length; at++) {
          const changed = Buffer.from(whole)
          changed[at] = (changed[at] as number) ^ bit
          try {
            const text = new TextDecoder('utf8', { fatal: true }).decode(changed)
            verifyInclusion(JSON.parse(text), { receipt: one.receipt })
            taken.push(text.slice(Math.max(0, at - 20), at + 20))
          } catch (error) {
            if (!(error instanceof AtomError || error instanceof SyntaxError || error instanceof TypeError)) throw error
          }
        }
      expect(taken).to.deep.equal([])
    })
  }

  for (const one of refused)
    it(`refuses ${one.name}`, () => {
      const error = refusal(one)
      expect([error?.code, error?.errors[0]?.pointer ?? null]).to.deep.equal([
        one.pointer === null ? 'invalid_argument' : 'proof_invalid',
        one.pointer,
      ])
    })
})
