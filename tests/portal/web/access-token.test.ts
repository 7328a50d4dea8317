import { expect } from 'chai'
import { cleanToken, storedToken } from '../../../portal/web/access-token.ts'

describe('access token', () => {
  it('drops surrounding space and a pasted scheme', () => {
    expect(cleanToken('  Bearer eyJ.abc-_.x\n')).to.equal('eyJ.abc-_.x')
    expect(cleanToken('')).to.equal('')
  })

  it('refuses what no header can carry', () => {
    for (const pasted of ['two words', 'line\nbreak', 'tokén']) expect(cleanToken(pasted), pasted).to.equal(null)
  })

  it('is the visitor where the browser blocks storage', () => {
    const blocked = () => {
      throw new Error('SecurityError')
    }
    expect(storedToken(blocked)).to.equal('')
  })
})
