import { expect } from 'chai'
import { hiddenIn, normalised } from '../../../consumers/governance/hidden-characters.ts'

describe('characters that hide', () => {
  it('are taken out or replaced before anything is matched', () => {
    expect(normalised('cu\u200brl')).to.equal('curl')
    expect(normalised('\u0441url')).to.equal('curl')
    expect(normalised('\uff43url')).to.equal('curl')
    expect(normalised('make')).to.equal('make')
  })

  it('are named', () => {
    expect(hiddenIn('cu\u200brl x')).to.contain('invisible')
    expect(hiddenIn('a \u202e b')).to.contain('direction')
    expect(hiddenIn('\u0441url x')).to.contain('alphabet')
  })

  it('are not seen in other languages, accents and marks of encoding', () => {
    for (const text of ['echo "привет мир"', 'echo "naïve café"', '\ufeffecho a', 'echo "日本語"', 'echo "👩\u200d💻"'])
      expect(hiddenIn(text), text).to.equal(null)
  })
})
