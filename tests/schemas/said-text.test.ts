import { expect } from 'chai'
import { faultsOf } from '../../platform/http/validate.ts'
import { closed, saidText } from '../../schemas/envelope.ts'

describe('schemas/envelope: text that is said', () => {
  const faults = (text: unknown) => faultsOf(closed({ text: saidText(12) }), { text })

  for (const text of ['x', '7', ' ok ', 'é', '承認', 'อนุมัติ', '…1', '\u200bok'])
    it(`takes ${JSON.stringify(text)}`, () => expect(faults(text)).to.deep.equal([]))

  // Blank to the eye: a justification of them would say nothing to who reads the record.
  for (const text of [
    ' ',
    '\n\t',
    '\u00a0',
    '\u200b',
    '\u2060\u200d',
    '\ufeff',
    '\u3164',
    '\u115f\u1160',
    '\uffa0',
    '...',
    '—',
  ])
    it(`refuses ${JSON.stringify(text)} (${[...text].map((one) => one.codePointAt(0)?.toString(16)).join(' ')})`, () =>
      expect(faults(text)).to.deep.equal([
        { pointer: '/text', code: 'pattern', detail: 'must be text with a letter or digit' },
      ]))

  it('refuses what is empty, too long or no text', () =>
    expect(['', 'x'.repeat(13), 5].map((text) => faults(text)[0]?.code)).to.deep.equal([
      'minLength',
      'maxLength',
      'type',
    ]))
})
