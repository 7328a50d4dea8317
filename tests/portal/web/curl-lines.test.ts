import { execFileSync } from 'node:child_process'
import { expect } from 'chai'
import { readInvoiceLine, reportUsageLine, uploadPackageLine } from '../../../portal/web/curl-lines.ts'

/** The arguments curl would get from this line in a POSIX shell. */
const argumentsOf = (line: string, env: Record<string, string> = {}): string[] =>
  execFileSync('sh', ['-c', `curl() { for each in "$@"; do printf '%s\\0' "$each"; done; }\n${line}`], {
    env: { PATH: process.env.PATH ?? '', ATOM_TOKEN: 'atom_key', ...env },
    encoding: 'utf8',
  })
    .split('\0')
    .slice(0, -1)

describe('curl lines of the empty page', () => {
  it('report usage with a body the usage edge takes', () => {
    const args = argumentsOf(reportUsageLine)
    expect(args).to.include.members(['http://127.0.0.1:8060/usage/report', 'Authorization: Bearer atom_key'])
    const body = JSON.parse(args.at(-1) ?? '') as Record<string, string>
    expect(body.id).to.match(/^[\x21-\x7e]{1,128}$/)
    expect(body.quantity).to.equal('1')
    expect(body.time).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    expect(Object.keys(body)).to.have.members(['id', 'meter', 'quantity', 'time'])
  })

  it('follow the addresses the SDKs follow', () => {
    const args = argumentsOf(readInvoiceLine, { ATOM_BILLING_API: 'http://127.0.0.1:9060' })
    expect(args).to.include('http://127.0.0.1:9060/billing/invoice/demo')
    expect(argumentsOf(uploadPackageLine)).to.include('http://127.0.0.1:8050/wpk/upload')
  })

  it('upload a package with its bundle', () => {
    expect(argumentsOf(uploadPackageLine)).to.include.members([
      'wpk=@package.yaml',
      'bundle=@package.yaml.sigstore.json',
    ])
  })
})
