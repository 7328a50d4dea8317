import { randomBytes } from 'node:crypto'
import { expect } from 'chai'
import fc from 'fast-check'
import { secretBox } from '../../../platform/keys/secret-box.ts'
import { holds } from '../../support/property.ts'

describe('platform/keys: secret box', () => {
  const key = randomBytes(32)
  const box = secretBox([key])

  it('opens what it sealed, and nothing that was changed or belongs elsewhere', () =>
    holds(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.string(), fc.nat(), (secret, about, place) => {
        const sealed = box.seal(secret, about)
        expect(box.open(sealed, about)).to.deep.equal(Buffer.from(secret))
        expect(() => box.open(sealed, `${about}.`)).to.throw()
        const at = place % sealed.length
        sealed[at] = (sealed[at] as number) ^ 1
        expect(() => box.open(sealed, about)).to.throw()
      }),
      100,
    ))

  it('never seals to the same bytes twice', () => {
    expect(box.seal(Buffer.from('a'), 'b')).not.to.deep.equal(box.seal(Buffer.from('a'), 'b'))
  })

  it('opens what an older key sealed, and not what a stranger’s did', () => {
    const newer = secretBox([randomBytes(32), key])
    expect(newer.open(box.seal(Buffer.from('a'), 'b'), 'b').toString()).to.equal('a')
    expect(() => box.open(newer.seal(Buffer.from('a'), 'b'), 'b')).to.throw(/another key/)
  })

  it('refuses what is too short to be anything, and keys of another length', () => {
    for (const short of [Buffer.alloc(0), Buffer.alloc(11), Buffer.alloc(20)])
      expect(() => box.open(short, '')).to.throw()
    expect(() => secretBox([randomBytes(16)])).to.throw(/32 bytes/)
  })
})
