import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { run } from '../../../sdk/cli/main.ts'

type Case = {
  name: string
  proof: string
  record?: object
  receipt: { report_id: string; root: string; count: number }
}
const source = new URL('../proof-vectors.json', import.meta.url)
const [billed, reported] = (JSON.parse(readFileSync(source, 'utf8')) as { proofs: Case[] }).proofs as [Case, Case]

describe('sdk/cli: atom receipt verify', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'atom-receipt-'))
  })
  after(() => rmSync(folder, { recursive: true }))
  const file = (name: string, content: string) => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }
  async function atom(...args: string[]) {
    const said: string[] = []
    const out: string[] = []
    const streams = {
      out: async (text: string) => void out.push(text),
      say: (line: string) => void said.push(line),
      signal: new AbortController().signal,
    }
    // Nothing listens there: a check needs no server.
    const code = await run(['receipt', 'verify', ...args], { ATOM_DATA_API: 'http://127.0.0.1:1' }, streams)
    return { code, out: out.join(''), said: said.join('\n') }
  }

  it('says which line of which invoice billed a record', async () => {
    const { invoice } = JSON.parse(billed.proof) as { invoice: { body: string; sha256: string } }
    const proof = file('proof.json', billed.proof)
    const record = file('record.json', JSON.stringify(billed.record, null, 2))
    const body = file('invoice.json', invoice.body)
    const checked = await atom(proof, '--record', record, '--invoice', body)
    expect(checked.code, checked.said).to.equal(0)
    expect(checked.out).to.contain('in invoice ATOM-000001').and.contain('26.25').and.contain(invoice.sha256)
    const json = await atom(proof, '--json')
    expect(JSON.parse(json.out)).to.include({ by: 'invoice', amount: '26.25' })
  })

  it('takes the answer to the report as its receipt', async () => {
    const { report_id, root, count } = reported.receipt
    const proof = file('reported.json', reported.proof)
    const answer = file('answer.json', JSON.stringify({ report_id, accepted: count, receipt: { root, count } }))
    expect((await atom(proof, '--receipt', answer)).out).to.contain(root)
    const other = file('other.json', JSON.stringify({ report_id, receipt: { root: '0'.repeat(64), count } }))
    expect(await atom(proof, '--receipt', other)).to.include({ code: 1 })
    expect((await atom(proof)).said).to.contain('receipt')
  })

  it('refuses what does not hold with code 1, and what it cannot read with code 2', async () => {
    const wrong = file('wrong.json', billed.proof.replace('"quantity":"2.5"', '"quantity":"2.6"'))
    expect(await atom(wrong)).to.deep.include({ code: 1, out: '' })
    const proof = file('proof.json', billed.proof)
    const record = file('record.json', JSON.stringify({ ...billed.record, quantity: '3' }))
    expect((await atom(proof, '--record', record)).said).to.contain('/record/quantity')
    expect(await atom(join(folder, 'none.json'))).to.include({ code: 2 })
    expect(await atom(file('text.json', 'no'))).to.include({ code: 2 })
    expect(await atom()).to.include({ code: 2 })
  })
})
